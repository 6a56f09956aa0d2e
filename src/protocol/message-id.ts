/** Short, and the same for every repetition of the occurrence: `tag.id.time`, the numbers in base 36. */
export function messageId(tag: string, id: number, time: number): string {
  return `${tag}.${id.toString(36)}.${time.toString(36)}`;
}

/** The job id and the time (ms) in a message id. */
export function parseMessageId(text: string): { id: number; time: number } {
  const [, id = '', time = ''] = text.split('.');
  return { id: Number.parseInt(id, 36), time: Number.parseInt(time, 36) };
}
