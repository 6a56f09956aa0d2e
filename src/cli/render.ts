import type { Output } from './output.ts';

const GAP = 2;
/** No column is cut below this. */
const NARROWEST = 8;

type Width = Pick<Output, 'width'>;

/** Rows under their headings; elsewhere than on a terminal rows alone, with tabs between the columns. */
export function table(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  { width }: Width,
): string {
  if (width === null) return rows.map((row) => row.map(printable).join('\t')).join('\n');
  const all = [headings, ...rows.map((row) => row.map(printable))];
  const widths = headings.map((_, column) => Math.max(...all.map((row) => widthOf(row[column]!))));
  // The widest column gives way first.
  const total = () => widths.reduce((sum, each) => sum + each + GAP, -GAP);
  while (total() > width) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest]! <= NARROWEST) break;
    widths[widest]!--;
  }
  return all
    .map((row) => row.map((cell, column) => fitted(cell, widths[column]!)).join(' '.repeat(GAP)))
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
export function barChart(bars: readonly (readonly [string, number])[], { width }: Width): string {
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

/**
 * A job may have any characters: those that move the cursor, or turn the direction of the text, are shown by their
 * numbers.
 */
export function printable(text: string): string {
  return text.replace(/\p{Cc}|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, (character) =>
    character === '\n'
      ? '\\n'
      : character === '\t'
        ? '\\t'
        : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Those that a terminal draws two columns wide. */
const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u;
const ZERO = /\p{Mark}|\u200d/u;

/** Columns of a terminal. */
function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += ZERO.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}

/** Cut, or filled up, to so many columns. */
function fitted(text: string, width: number): string {
  const own = widthOf(text);
  if (own <= width) return text + ' '.repeat(width - own);
  let cut = '';
  let used = 0;
  for (const character of text) {
    const more = widthOf(character);
    if (used + more > width - 1) break;
    cut += character;
    used += more;
  }
  return `${cut}…${' '.repeat(width - 1 - used)}`;
}
