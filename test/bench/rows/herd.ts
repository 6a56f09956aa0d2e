import { ApiLoad } from '../api-load.ts';
import { runBare } from '../bare.ts';
import { DispatchRun, type Meanwhile } from '../dispatch-run.ts';
import { inTurns, median, medianOf, percentile } from '../rounds.ts';
import type { Row } from '../row.ts';
import { scaled } from '../scale.ts';

const JOBS = 300_000;
const REQUESTS = 50;

export const row: Row = {
  name: 'herd',
  how:
    '300,000 jobs fall due at the same millisecond while 50 requests a second (half durable PUTs of new jobs, half ' +
    'GETs) are sent on time, whatever the answers take; the drain against bare amqplib as in the dispatch row',
  async run(bench) {
    const jobs = scaled(bench, JOBS);
    const run = new DispatchRun(bench, { jobs, spread: 0 });
    const load = new ApiLoad();
    await run.open();
    try {
      const latencies: number[] = [];
      let refused = 0;
      const meanwhile: Meanwhile = async ({ url }, routingKey) => {
        await load.start({ url, routingKey, jobs, perSecond: REQUESTS });
        return async () => {
          const told = await load.stop();
          latencies.push(...told.latencies);
          refused += told.refused;
        };
      };
      const rounds = await inTurns(bench, {
        herd: async () => {
          const before = latencies.length;
          const { seconds } = await run.dalga(meanwhile);
          await removePut(run);
          const own = latencies.slice(before);
          return { rate: jobs / seconds, p99: percentile(own, 0.99), max: Math.max(...own) };
        },
        bare: async () => {
          const { seconds } = await run.baseline((messages) => runBare(bench.rabbitmq, messages));
          return { rate: jobs / seconds };
        },
      });
      const ratio = median(rounds.map((round) => round['herd.rate']! / round['bare.rate']!));
      const p99 = medianOf(rounds, 'herd.p99');
      return {
        figures: [
          {
            ...{ name: 'drain against bare amqplib', value: ratio, unit: 'x' },
            goal: { must: 0.9, aim: 1, good: 'at least' },
          },
          {
            ...{ name: 'API p99', value: p99, unit: 'ms' },
            goal: { must: 50, aim: 20, good: 'at most' },
          },
          { name: 'API p50', value: percentile(latencies, 0.5), unit: 'ms' },
          { name: 'API max', value: Math.max(...latencies), unit: 'ms' },
          { name: 'API refusals', value: refused, unit: 'requests' },
          { name: 'drain', value: medianOf(rounds, 'herd.rate'), unit: 'messages/s' },
        ],
        rounds,
      };
    } finally {
      await load.close();
      await run.close();
    }
  },
};

/** The next round is to begin with the same jobs. */
async function removePut({ database }: DispatchRun): Promise<void> {
  const connection = await database.connect();
  await connection.query("DELETE FROM dalga WHERE job LIKE 'api-%'");
  await connection.end();
}
