/** Where a command shows what it has found. */
export type Screen = {
  print(text: string): void;
  /** Characters of a line; null where it is no terminal: then nothing is cut, and columns are separated by tabs. */
  readonly width: number | null;
};

const GAP = 2;
/** No column is cut below this. */
const NARROWEST = 8;

/** Rows under their headings. */
export function table(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  { width }: Pick<Screen, 'width'>,
): string {
  if (width === null) return rows.map((row) => row.map(printable).join('\t')).join('\n');
  const all = [headings, ...rows.map((row) => row.map(printable))];
  const widths = headings.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  // The widest column gives way first.
  const total = () => widths.reduce((sum, each) => sum + each + GAP, -GAP);
  while (total() > width) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest]! <= NARROWEST) break;
    widths[widest]!--;
  }
  return all
    .map((row) =>
      row.map((cell, column) => cut(cell, widths[column]!).padEnd(widths[column]!)).join(' '.repeat(GAP)),
    )
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Names and their values, a line each. */
export function block(lines: readonly (readonly [string, unknown])[]): string {
  const widest = Math.max(...lines.map(([name]) => name.length));
  return lines
    .map(
      ([name, value]) =>
        `${name.padEnd(widest)}  ${printable(typeof value === 'string' ? value : JSON.stringify(value))}`,
    )
    .join('\n');
}

/** A bar for each label, the longest as wide as the line allows. */
export function barChart(
  bars: readonly (readonly [string, number])[],
  { width }: Pick<Screen, 'width'>,
): string {
  const most = Math.max(1, ...bars.map(([, count]) => count));
  const digits = String(most).length;
  const room = Math.max(10, (width ?? 80) - (bars[0]?.[0].length ?? 0) - digits - 2 * GAP);
  return bars
    .map(([label, count]) => {
      const length = count === 0 ? 0 : Math.max(1, Math.round((count / most) * room));
      return `${label}  ${String(count).padStart(digits)}  ${'█'.repeat(length)}`.trimEnd();
    })
    .join('\n');
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** A job may have any characters: those that move the cursor are shown as JSON shows them. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}
