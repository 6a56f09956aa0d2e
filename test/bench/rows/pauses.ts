import { LEAST_DURATION, runFeeds } from '../feeds.ts';
import { latenessOf } from '../lateness.ts';
import type { Readings } from '../programs/gauge.ts';
import type { Figure, Row } from '../row.ts';
import { scaledTime } from '../scale.ts';

/** ms */
const DURATION = 360_000;

/** How long each thread's event loop is held up. */
export const row: Row = {
  name: 'pauses',
  how:
    'the feeds run again, with the event loop of each thread watched by perf_hooks, at a resolution of 1 ms that is ' +
    'subtracted; this takes a timer each ms in each thread, so that no other figure is taken here',
  async run(bench) {
    const duration = scaledTime(bench, DURATION, LEAST_DURATION);
    const { threads } = await runFeeds(bench, { loopDelay: true }, (feeds) => {
      bench.say(`measuring for ${duration / 1000} s`);
      return feeds.measure(duration);
    });
    const figures: Figure[] = [];
    const rounds: Record<string, number>[] = [];
    for (const { thread, delay } of named(threads)) {
      if (delay === null) throw new Error(`the event loop of ${thread} was not watched`);
      const goal = { must: 10, aim: 5, good: 'at most' } as const;
      figures.push({ name: `${thread} p99`, value: delay.p99, unit: 'ms', goal });
      figures.push({ name: `${thread} max`, value: delay.max, unit: 'ms' });
      rounds.push(
        Object.fromEntries(Object.entries(delay).map(([name, value]) => [`${thread}.${name}`, value])),
      );
    }
    const lateness = latenessOf(threads);
    return { figures, rounds: [...rounds, { 'lateness.p99': lateness.percentile(0.99) }] };
  },
};

/** With names that are the same in each run, in an order that is too: a thread's id depends on what came before. */
function named(threads: readonly Readings[]): Readings[] {
  const publishers = threads.filter(({ thread }) => thread.startsWith('publisher'));
  return [
    ...['main', 'scheduler'].flatMap((name) => threads.filter(({ thread }) => thread === name)),
    ...publishers.map((readings, index) => ({ ...readings, thread: `publisher ${index + 1}` })),
  ];
}
