/**
 * Short, and the same for every repetition of the occurrence: `tag.id.time`, the numbers in base 36; of a run by hand or
 * a backfill `tag.id.time.span`, which can be no scheduled occurrence's.
 *
 * @param span 0 for none
 */
export function messageId(tag: string, id: number, time: number, span = 0): string {
  const text = `${tag}.${id.toString(36)}.${time.toString(36)}`;
  return span === 0 ? text : `${text}.${span.toString(36)}`;
}

/** The job id, the time (ms) and the span (0 for none) in a message id. */
export function parseMessageId(text: string): { id: number; time: number; span: number } {
  const [, id = '', time = '', span = '0'] = text.split('.');
  return { id: Number.parseInt(id, 36), time: Number.parseInt(time, 36), span: Number.parseInt(span, 36) };
}
