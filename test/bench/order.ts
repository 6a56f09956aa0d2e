/** The rows in the order in which they are measured and shown; one that is not named comes at the end. */
const ORDER = 'dispatch polling feeds herd start edits memory growth writes reads bulk pauses'.split(' ');

export function inOrder(names: readonly string[]): string[] {
  const place = (name: string) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return [...names].sort((one, other) => place(one) - place(other) || (one < other ? -1 : 1));
}
