import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Histogram } from './histogram.ts';
import { type Result, readResults, toResult, writeResults } from './results.ts';
import { inTurns, median, medianOf, percentile } from './rounds.ts';
import type { Figure, Measured } from './row.ts';
import { tableOf, verdictOf, withUnit } from './verdict.ts';

/** Compiled, this file is in dist/test/bench. */
const README = fileURLToPath(new URL('../../../README.md', import.meta.url));
const RESULTS = fileURLToPath(new URL('../../../test/bench/results', import.meta.url));

const late: Figure = {
  ...{ name: 'lateness p99', value: 2, unit: 'ms' },
  goal: { must: 10, aim: 3, good: 'at most' },
};
const ratio: Figure = {
  ...{ name: 'against bare', value: 0.93, unit: 'x' },
  goal: { must: 0.9, aim: 1, good: 'at least' },
};
const shown: Figure = { name: 'rate', value: 12_345.6, unit: 'messages/s' };

const about = {
  date: '2026-01-02T03:04:05.678Z',
  commit: '0123456789ab',
  machine: { cpu: 'a <fast> one', cores: 2, memory: 8, node: 'v20', mysql: '10.11', rabbitmq: '3.10' },
  scale: 1,
};

function result(row: string, measured: Partial<Measured>): Result {
  return toResult({ name: row, how: 'by hand' }, { figures: [], rounds: [], ...measured }, about);
}

t.test('a verdict says whether a figure reaches its goal, and its aim', async (t) => {
  const verdict = (value: number, good: 'at most' | 'at least', must: number, aim: number) =>
    verdictOf({ value, goal: { must, aim, good } });
  t.equal(verdict(3, 'at most', 10, 3), 'aim reached');
  t.equal(verdict(10, 'at most', 10, 3), 'reached');
  t.equal(verdict(10.1, 'at most', 10, 3), 'missed');
  t.equal(verdict(1, 'at least', 0.9, 1), 'aim reached');
  t.equal(verdict(0.9, 'at least', 0.9, 1), 'reached');
  t.equal(verdict(0.89, 'at least', 0.9, 1), 'missed');
  t.equal(verdict(Number.NaN, 'at most', 10, 3), 'missed', 'what could not be measured is not reached');
  t.equal(verdictOf(shown), '');
});

t.test('the table shows each figure with its goal and verdict', async (t) => {
  const table = tableOf([
    { name: 'feeds', figures: [late] },
    { name: 'dispatch', figures: [ratio, shown] },
  ]);
  t.equal(
    table,
    `
| row      | figure       | value             | must reach         | aim              | verdict     |
| -------- | ------------ | ----------------- | ------------------ | ---------------- | ----------- |
| feeds    | lateness p99 | 2 ms              | at most 10 ms      | at most 3 ms     | aim reached |
| dispatch | against bare | 0.93 times        | at least 0.9 times | at least 1 times | reached     |
| dispatch | rate         | 12,346 messages/s |                    |                  |             |
`.trim(),
  );
});

t.test('a row has a file, and the pictures show the rows of all files', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dalga-bench-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const counts = [900, 90, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1];
  const feeds = result('feeds', { figures: [late], distributions: [{ name: 'lateness', counts }] });
  const dispatch = result('dispatch', { figures: [ratio, shown], rounds: [{ 'bare.rate': 20_000 }] });
  writeResults(folder, [feeds]);
  writeResults(folder, [result('dispatch', {})]);
  writeResults(folder, [dispatch]);

  t.same(readdirSync(folder).sort(), ['dispatch.json', 'feeds.json', 'figures.svg', 'lateness.svg']);
  t.same(readResults(folder), [dispatch, feeds], 'a later run of a row takes the place of the earlier');

  const figures = readFileSync(join(folder, 'figures.svg'), 'utf8');
  t.match(figures, /feeds: lateness p99/);
  t.match(figures, /dispatch: against bare/);
  t.notMatch(figures, /12,346/, 'what has no goal is not in the picture');
  t.match(figures, />0.93 times</);

  const lateness = readFileSync(join(folder, 'lateness.svg'), 'utf8');
  t.match(lateness, /lateness: 1,000 messages/);
  for (const mark of ['p50 1 ms', 'p99 2 ms', 'p99.9 13 ms', 'max 14 ms']) t.match(lateness, `>${mark}<`);
  t.match(lateness, /0 to 1 ms: 900 \(90 %\)/);
  for (const picture of [figures, lateness]) {
    t.ok(wellFormed(picture), 'each tag is closed in its order');
    t.notMatch(picture, /NaN|Infinity|undefined/);
  }
});

t.test('names and numbers of all sizes stay inside of a picture', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dalga-bench-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const odd: Figure = { ...late, name: 'a < b & "c"', value: 0 };
  const counts = new Array(400_000).fill(0);
  counts[399_999] = 1;
  const distributions = [
    { name: 'far', counts },
    { name: 'none', counts: [] },
  ];
  writeResults(folder, [result('odd', { figures: [odd, { ...ratio, value: 1e9 }], distributions })]);
  for (const file of ['figures.svg', 'lateness.svg']) {
    const picture = readFileSync(join(folder, file), 'utf8');
    t.ok(wellFormed(picture), file);
    t.notMatch(picture, /NaN|Infinity|undefined/);
    const [, width = ''] = /viewBox="0 0 (\d+) /.exec(picture) ?? [];
    for (const [, x = ''] of picture.matchAll(/ x[12]?="([^"]+)"/g)) {
      if (Number(x) < 0 || Number(x) > Number(width)) t.fail(`${file} has a mark at ${x}`);
    }
  }
});

t.test("the README's figures are those of the results, and it names their machine", async (t) => {
  const readme = readFileSync(README, 'utf8');
  const results = new Map(readResults(RESULTS).map((result) => [result.row, result]));
  const lines = [...readme.matchAll(/^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$/gm)].filter(([, row]) =>
    results.has(row!),
  );
  t.ok(lines.length > 0);
  for (const [, row = '', name = '', value] of lines) {
    const { figures, machine, scale } = results.get(row)!;
    const figure = figures.find((each) => each.name === name);
    t.equal(value, figure && withUnit(figure.value, figure.unit), `${row}: ${name}`);
    t.equal(scale, 1, `${row}: not a trial`);
    const { cpu, node, mysql, rabbitmq } = machine;
    for (const word of [cpu, node, mysql.split('-')[0]!, rabbitmq])
      t.ok(readme.includes(word), `${row}: ${word}`);
  }
});

t.test('a histogram tells percentiles, and is the same in another process', async (t) => {
  const histogram = new Histogram(0.5);
  for (let value = 0; value < 1000; value++) histogram.add(value / 10);
  histogram.add(-3);
  t.equal(histogram.count, 1001);
  t.equal(histogram.percentile(0.5), 50);
  t.equal(histogram.percentile(0.99), 99);
  t.equal(histogram.percentile(1), 99.9, 'no more than the highest');
  const copy = Histogram.from(structuredClone(histogram.data()));
  t.same(copy.data(), histogram.data());
  t.equal(copy.count, 1001);
  t.same(copy.perMillisecond().slice(0, 3), [11, 10, 10]);
  copy.clear();
  t.equal(copy.count, 0);
  t.same(copy.data().counts, []);
});

t.test('sides are measured in turns', async (t) => {
  const order: string[] = [];
  const side = (name: string, values: readonly number[]) => async (round: number) => {
    order.push(name);
    return { value: values[round]! };
  };
  const rounds = await inTurns(
    { rounds: 3, say: () => {} },
    { a: side('a', [1, 9, 2]), b: side('b', [4, 4, 5]) },
  );
  t.same(order, ['a', 'b', 'a', 'b', 'a', 'b']);
  t.same(rounds[1], { 'a.value': 9, 'b.value': 4 });
  t.equal(medianOf(rounds, 'a.value'), 2);
  t.throws(() => medianOf(rounds, 'c.value'), /c\.value/);
  t.equal(median([4, 1, 3, 2]), 2.5);
  t.equal(percentile([5, 1, 4, 2, 3], 0.8), 4);
});

/** Whether each tag is closed where it may be, as an XML parser would want it. */
function wellFormed(picture: string): boolean {
  const open: string[] = [];
  for (const [, closing, name, empty] of picture.matchAll(/<(\/?)(\w+)(?:\s[^<>]*?)?(\/?)>/g)) {
    if (closing === '/') {
      if (open.pop() !== name) return false;
    } else if (empty !== '/') open.push(name!);
  }
  // No bracket or ampersand is left over.
  const rest = picture.replaceAll(/<\/?\w+(?:\s[^<>]*?)?\/?>/g, '').replaceAll(/&(amp|lt|gt|quot);/g, '');
  return open.length === 0 && !/[<>&]/.test(rest);
}
