import { startEditor } from '../edits.ts';
import { type Feeds, INTERVAL, LEAST_DURATION, runFeeds } from '../feeds.ts';
import { inTurns, medianOf } from '../harness.ts';
import { latenessOf } from '../lateness.ts';
import type { Row } from '../row.ts';
import { scaledTime } from '../scale.ts';

/** Changes a second. */
const RATE = 1000;

/** Of each side in each round, ms. */
const DURATION = 120_000;

/** The lateness that p99 may have while jobs are changed, ms, or so many times that without changes. */
const MUST = { ms: 10, times: 1.5 };
const AIM = { times: 1.1 };

/** What changes of jobs do to the messages. */
export const row: Row = {
  name: 'edits',
  how:
    'in the feeds run, in turns two minutes without changes and two with 1,000 a second, a third each new jobs, POSTs ' +
    'to random ones and DELETEs, each answered when it is on disk; lateness is that of the feeds row, of every ' +
    'message, and the client shares the cores too',
  async run(bench) {
    const duration = scaledTime(bench, DURATION, LEAST_DURATION);
    const editor = startEditor();
    try {
      const rounds = await runFeeds(bench, { loopDelay: false }, (feeds) => {
        const changes = { url: feeds.dalga.url, routingKey: feeds.queue, jobs: feeds.jobs };
        return inTurns(bench, {
          without: async () => measureLateness(feeds, duration),
          with: async () => {
            const rate = Math.max(30, RATE * bench.scale);
            await editor.start({ ...changes, interval: INTERVAL / 1000, rate });
            const lateness = await measureLateness(feeds, duration);
            const { rate: changed, p50, p99 } = await editor.stop();
            return { ...lateness, changes: changed, 'answer p50': p50, 'answer p99': p99 };
          },
        });
      });
      const without = medianOf(rounds, 'without.p99');
      const beside = medianOf(rounds, 'with.p99');
      return {
        figures: [
          {
            name: 'lateness p99 with edits',
            value: beside,
            unit: 'ms',
            goal: {
              must: Math.max(MUST.ms, MUST.times * without),
              aim: AIM.times * without,
              good: 'at most',
            },
          },
          { name: 'lateness p99 without', value: without, unit: 'ms' },
          { name: 'with against without', value: beside / without, unit: 'x' },
          { name: 'changes', value: medianOf(rounds, 'with.changes'), unit: 'changes/s' },
          { name: 'answer p99', value: medianOf(rounds, 'with.answer p99'), unit: 'ms' },
        ],
        rounds,
      };
    } finally {
      await editor.close();
    }
  },
};

async function measureLateness(feeds: Feeds, duration: number): Promise<Record<string, number>> {
  const { threads, cpu, rows, seconds, received } = await feeds.measure(duration);
  const lateness = latenessOf(threads);
  return {
    p50: lateness.percentile(0.5),
    p99: lateness.percentile(0.99),
    max: lateness.max,
    cpu,
    rows,
    messages: received / seconds,
  };
}
