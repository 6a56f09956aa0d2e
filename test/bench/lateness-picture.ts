import { rounded } from './rounds.ts';
import type { Distribution } from './row.ts';
import { line, rect, svg, text } from './svg.ts';

const WIDTH = 760;
const PANEL = 250;
const LEFT = 64;
const RIGHT = 24;
const TOP = 46;
const BOTTOM = 44;

/** The edges of the bars, ms: each ms alone at first, then on a logarithmic scale. */
const STEPS = [1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 70];
const EDGES = [0, ...[1, 100, 10_000].flatMap((factor) => STEPS.map((step) => step * factor))].filter(
  // 10 * 10 and 1 * 100 are the same.
  (edge, index, all) => index === 0 || edge > all[index - 1]!,
);
const LABELLED = [0, 1, 2, 3, 5, 10, 20, 50, 100, 300, 1000, 3000, 10_000, 30_000, 100_000];

const MARKS = [
  { name: 'p50', share: 0.5 },
  { name: 'p99', share: 0.99 },
  { name: 'p99.9', share: 0.999 },
  { name: 'max', share: 1 },
];

/** How late the messages were: a panel for each distribution, the shares on a logarithmic scale too. */
export function latenessPicture(distributions: readonly Distribution[]): string {
  const end = Math.max(...distributions.map(({ counts }) => counts.length), 20);
  const edges = EDGES.filter((_, index) => index === 0 || EDGES[index - 1]! < end);
  const marks = distributions.flatMap((distribution, index) => panel(distribution, edges, index * PANEL));
  return svg(WIDTH, PANEL * distributions.length, 'How late the messages were', marks);
}

function panel({ name, counts }: Distribution, edges: readonly number[], top: number): string[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const bars = edges.slice(0, -1).map((edge, index) => ({
    from: edge,
    to: edges[index + 1]!,
    count: counts.slice(edge, edges[index + 1]!).reduce((sum, count) => sum + count, 0),
  }));
  const height = PANEL - TOP - BOTTOM;
  const floor = top + TOP + height;
  // One message alone still shows: the scale goes from less than its share to all.
  const decades = Math.max(3, Math.ceil(Math.log10(Math.max(total, 1))) + 0.5);
  const y = (share: number) => floor - height * Math.max(0, 1 + Math.log10(share) / decades);
  const barWidth = (WIDTH - LEFT - RIGHT) / bars.length;
  const xOf = (ms: number) => {
    const index = Math.max(
      0,
      edges.findLastIndex((edge) => edge <= ms),
    );
    if (index >= bars.length) return WIDTH - RIGHT;
    const { from, to } = bars[index]!;
    return LEFT + (index + (ms - from) / (to - from)) * barWidth;
  };

  const marks = [
    text(LEFT, top + 18, `${name}: ${total.toLocaleString('en-US')} messages`, { size: 14, bold: true }),
  ];
  for (let decade = 0; decade <= decades; decade++) {
    const share = 10 ** -decade;
    marks.push(line(LEFT, y(share), WIDTH - RIGHT, y(share), '#e4e4e4'));
    marks.push(
      text(LEFT - 6, y(share) + 4, `${Number((share * 100).toPrecision(1))} %`, { anchor: 'end', size: 10 }),
    );
  }
  for (const [index, { from, to, count }] of bars.entries()) {
    if (count === 0) continue;
    const share = count / total;
    const hint = `${from} to ${to} ms: ${count.toLocaleString('en-US')} (${rounded(share * 100)} %)`;
    marks.push(
      rect(LEFT + index * barWidth + 0.5, y(share), barWidth - 1, floor - y(share), '#4878a8', hint),
    );
  }
  for (const edge of edges.filter((edge) => LABELLED.includes(edge))) {
    marks.push(text(xOf(edge), floor + 15, edge.toLocaleString('en-US'), { anchor: 'middle', size: 10 }));
  }
  marks.push(text(WIDTH - RIGHT, floor + 30, 'ms', { anchor: 'end', size: 10 }));
  if (total === 0) return marks;
  for (const [index, { name: label, share }] of MARKS.entries()) {
    const ms = upperEdge(counts, share * total);
    const x = xOf(ms);
    marks.push(line(x, top + TOP - 4, x, floor, '#b03030', '4 3'));
    // Percentiles can lie side by side: each has a line of its own.
    const anchor = x > WIDTH / 2 ? 'end' : 'start';
    const aside = anchor === 'end' ? -4 : 4;
    marks.push(
      text(x + aside, top + TOP + 8 + index * 13, `${label} ${ms.toLocaleString('en-US')} ms`, {
        anchor,
        fill: '#b03030',
        size: 11,
      }),
    );
  }
  return marks;
}

/** The end of the bucket (ms) in which the value of this rank lies. */
function upperEdge(counts: readonly number[], rank: number): number {
  let seen = 0;
  for (const [bucket, count] of counts.entries()) {
    seen += count;
    if (count > 0 && seen >= rank) return bucket + 1;
  }
  return counts.length;
}
