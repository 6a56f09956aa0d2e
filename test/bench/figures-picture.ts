import type { Figure } from './row.ts';
import { line, rect, svg, text } from './svg.ts';
import { type Verdict, verdictOf, withUnit } from './verdict.ts';

const WIDTH = 860;
const LEFT = 300;
const RIGHT = 130;
const ROW = 24;
const TOP = 72;
/** Worse and better than what must be reached, in times, at the ends of the scale. */
const LEAST = 1 / 8;
const MOST = 8;

const FILL: Readonly<Record<Verdict, string>> = {
  'aim reached': '#3a8a50',
  reached: '#4878a8',
  missed: '#b03030',
  '': '#888888',
};

type Shown = { readonly row: string; readonly figures: readonly Figure[] };

/**
 * Each figure beside its goal: how many times better it is than what must be reached, on a logarithmic scale, so
 * that figures of different units stand side by side. The bar that reaches the line at 1 has reached it; the mark
 * on it is the aim.
 */
export function figuresPicture(results: readonly Shown[]): string {
  const rows = results.flatMap(({ row, figures }) =>
    figures.flatMap((figure) => (figure.goal === undefined ? [] : [{ row, figure, goal: figure.goal }])),
  );
  const height = TOP + rows.length * ROW + 16;
  const x = (times: number) => {
    const inside = Math.min(MOST, Math.max(LEAST, times));
    return LEFT + ((WIDTH - LEFT - RIGHT) * Math.log(inside / LEAST)) / Math.log(MOST / LEAST);
  };
  const marks = [
    text(16, 22, 'Figures beside their goals', { size: 15, bold: true }),
    text(16, 40, 'bar to the line: reached; mark: the aim; to the right is better', {
      size: 11,
      fill: '#666666',
    }),
  ];
  for (const times of [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8]) {
    marks.push(line(x(times), TOP - 6, x(times), height - 10, times === 1 ? '#222222' : '#e4e4e4'));
    const label = times < 1 ? `1/${1 / times}` : String(times);
    marks.push(text(x(times), TOP - 10, label, { anchor: 'middle', size: 10, fill: '#666666' }));
  }
  for (const [index, { row, figure, goal }] of rows.entries()) {
    const top = TOP + index * ROW;
    const better = (value: number) => (goal.good === 'at most' ? goal.must / value : value / goal.must);
    const value = withUnit(figure.value, figure.unit);
    const hint = `${goal.good} ${withUnit(goal.must, figure.unit)}, aim ${withUnit(goal.aim, figure.unit)}`;
    marks.push(text(LEFT - 8, top + 15, `${row}: ${figure.name}`, { anchor: 'end' }));
    marks.push(
      rect(LEFT, top + 5, Math.max(2, x(better(figure.value)) - LEFT), 14, FILL[verdictOf(figure)], hint),
    );
    marks.push(rect(x(better(goal.aim)) - 1.5, top + 2, 3, 20, '#e0a030', `the aim: ${hint}`));
    marks.push(text(WIDTH - RIGHT + 8, top + 15, value));
  }
  return svg(WIDTH, height, 'Figures of the benchmark beside their goals', marks);
}
