/** One line of a body: its number, from 1, and its bytes; null when it is longer than the limit. */
export type Line = { readonly number: number; readonly bytes: Buffer | null };

const NEWLINE = 0x0a;

/**
 * Splits a body into lines as it comes; a last one without a newline counts. What is kept is at most one line.
 * Empty lines are counted, and left out.
 *
 * @param limit bytes of one line
 */
export async function* splitLines(chunks: AsyncIterable<Buffer>, limit: number): AsyncGenerator<Line[]> {
  let number = 1;
  let parts: Buffer[] = [];
  let length = 0;
  const keep = (part: Buffer): void => {
    length += part.length;
    if (length <= limit) parts.push(part);
    else parts = [];
  };
  const end = (into: Line[]): void => {
    const line = { number: number++, bytes: length > limit ? null : Buffer.concat(parts, length) };
    if (line.bytes === null || !isBlank(line.bytes)) into.push(line);
    parts = [];
    length = 0;
  };
  for await (const chunk of chunks) {
    const lines: Line[] = [];
    let start = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, start)) {
      keep(chunk.subarray(start, at));
      end(lines);
      start = at + 1;
    }
    if (start < chunk.length) keep(chunk.subarray(start));
    if (lines.length > 0) yield lines;
  }
  if (length === 0) return;
  const last: Line[] = [];
  end(last);
  yield last;
}

/** Spaces, tabs, and the carriage return of a CRLF. */
function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
