import { DispatchRun } from '../dispatch-run.ts';
import { fillPolled, runPolling } from '../polling.ts';
import { inTurns, median, medianOf } from '../rounds.ts';
import type { Row } from '../row.ts';
import { scaled, scaledTime } from '../scale.ts';

const JOBS = 500_000;
const SPREAD = 1000;

export const row: Row = {
  name: 'polling',
  how:
    'the work of the dispatch row, against the classic way: an index on next_run, SELECT ... LIMIT 1000 FOR UPDATE ' +
    'SKIP LOCKED, published with confirms, one UPDATE a batch, several sessions',
  async run(bench) {
    const jobs = scaled(bench, JOBS);
    const spread = scaledTime(bench, SPREAD, 1);
    const run = new DispatchRun(bench, { jobs, spread });
    await run.open();
    try {
      const rounds = await inTurns(bench, {
        dalga: async () => ({ rate: jobs / (await run.dalga()).seconds }),
        polling: async () => {
          await fillPolled(run.database);
          const { seconds } = await run.baseline(({ from }) =>
            runPolling(run.database, bench.rabbitmq, from + spread),
          );
          return { rate: jobs / seconds };
        },
      });
      const ratio = median(rounds.map((round) => round['dalga.rate']! / round['polling.rate']!));
      return {
        figures: [
          {
            ...{ name: 'against polling', value: ratio, unit: 'x' },
            goal: { must: 3, aim: 5, good: 'at least' },
          },
          { name: 'Dalga', value: medianOf(rounds, 'dalga.rate'), unit: 'messages/s' },
          { name: 'polling', value: medianOf(rounds, 'polling.rate'), unit: 'messages/s' },
        ],
        rounds,
      };
    } finally {
      await run.close();
    }
  },
};
