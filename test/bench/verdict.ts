import { rounded } from './rounds.ts';
import type { Figure } from './row.ts';

export type Verdict = 'aim reached' | 'reached' | 'missed' | '';

/** What a figure's goal says of it. */
export function verdictOf({ value, goal }: Pick<Figure, 'value' | 'goal'>): Verdict {
  if (goal === undefined) return '';
  const reaches = (limit: number) => (goal.good === 'at most' ? value <= limit : value >= limit);
  if (reaches(goal.aim)) return 'aim reached';
  return reaches(goal.must) ? 'reached' : 'missed';
}

export function withUnit(value: number, unit: string): string {
  return unit === 'x' ? `${rounded(value)} times` : `${rounded(value)} ${unit}`;
}

/** The table, as Markdown with aligned columns. */
export function tableOf(
  rows: readonly { readonly name: string; readonly figures: readonly Figure[] }[],
): string {
  const lines = [['row', 'figure', 'value', 'must reach', 'aim', 'verdict']];
  for (const { name, figures } of rows) {
    for (const figure of figures) {
      const { goal, unit, value } = figure;
      const limit = (number: number) => (goal === undefined ? '' : `${goal.good} ${withUnit(number, unit)}`);
      lines.push([
        ...[name, figure.name, withUnit(value, unit)],
        ...(goal === undefined ? ['', ''] : [limit(goal.must), limit(goal.aim)]),
        verdictOf(figure),
      ]);
    }
  }
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const text = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [text(lines[0]!), rule, ...lines.slice(1).map(text)].join('\n');
}
