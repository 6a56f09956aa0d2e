import { setTimeout as delay } from 'node:timers/promises';
import { type BenchDatabase, freshDatabase } from '../database.ts';
import { memoryOf } from '../process-stats.ts';
import { inTurns, median, medianOf } from '../rounds.ts';
import type { Bench, Figure, Row } from '../row.ts';
import { runDalga } from '../run-dalga.ts';
import { scaled, scaledTime } from '../scale.ts';
import { seedTable } from '../seed-table.ts';

const MILLION = 1_000_000;
const FIVE_MILLION = 5_000_000;
/** Bytes of a large payload. */
const PAYLOAD = 1024;
/** None falls due while it is measured. ms */
const INTERVAL = 86_400_000;
/** From /readyz to the first look at the memory, and between the looks, ms. */
const SETTLING = 20_000;
const LOOKS = 5;

const MIB = 2 ** 20;

export const row: Row = {
  name: 'memory',
  how:
    'RSS of the process some 20 s after /readyz, beyond that of a Dalga without jobs, for each job: 50-byte jobs ' +
    'that are not due; and 1,000,000 jobs with payloads of 1 KiB, beyond those bytes',
  async run(bench) {
    const sizes = {
      million: { jobs: scaled(bench, MILLION) },
      five: { jobs: scaled(bench, FIVE_MILLION) },
      payloads: { jobs: scaled(bench, MILLION), payloadBytes: PAYLOAD },
    };
    const databases: BenchDatabase[] = [];
    const filled = async ({ jobs, payloadBytes }: { jobs: number; payloadBytes?: number }) => {
      const database = await freshDatabase(bench.mysql);
      databases.push(database);
      const from = Date.now() + INTERVAL;
      const since = Date.now();
      // No such queue is needed: nothing is sent.
      const routingKey = 'bench_memory';
      if (jobs > 0) {
        const payloads = payloadBytes === undefined ? {} : { payloadBytes };
        await seedTable(database, { jobs, ...payloads, intervalMs: INTERVAL, from, since, routingKey });
      }
      bench.say(`${jobs} jobs${payloadBytes === undefined ? '' : ' with payloads'} are in a table`);
      return () => measure(bench, database);
    };
    try {
      const rounds = await inTurns(bench, {
        empty: await filled({ jobs: 0 }),
        million: await filled(sizes.million),
        five: await filled(sizes.five),
        payloads: await filled(sizes.payloads),
      });
      /** Bytes for each job. */
      const beyond = (size: keyof typeof sizes, but = 0): number =>
        median(
          rounds.map(
            (round) => ((round[`${size}.rss`]! - round['empty.rss']!) * MIB) / sizes[size].jobs - but,
          ),
        );
      const figure = (name: string, value: number): Figure => ({
        ...{ name, value, unit: 'bytes/job' },
        goal: { must: 250, aim: 150, good: 'at most' },
      });
      return {
        figures: [
          figure('at 1,000,000', beyond('million')),
          figure('at 5,000,000', beyond('five')),
          figure('with payloads of 1 KiB, beyond their bytes', beyond('payloads', PAYLOAD)),
          { name: 'RSS without jobs', value: medianOf(rounds, 'empty.rss'), unit: 'MiB' },
          { name: 'RSS at 1,000,000', value: medianOf(rounds, 'million.rss'), unit: 'MiB' },
          { name: 'peak RSS at 1,000,000', value: medianOf(rounds, 'million.peak'), unit: 'MiB' },
          { name: 'RSS at 5,000,000', value: medianOf(rounds, 'five.rss'), unit: 'MiB' },
        ],
        rounds,
      };
    } finally {
      for (const database of databases) await database.drop();
    }
  },
};

/** MiB. */
async function measure(bench: Bench, mysql: BenchDatabase): Promise<{ rss: number; peak: number }> {
  const dalga = await runDalga({ mysql, rabbitmq: bench.rabbitmq });
  try {
    await dalga.ready();
    const looks: number[] = [];
    for (let look = 0; look < LOOKS; look++) {
      await delay(scaledTime(bench, SETTLING / LOOKS, 200));
      looks.push(memoryOf(dalga.pid).rss);
    }
    return { rss: looks.at(-1)! / MIB, peak: memoryOf(dalga.pid).peak / MIB };
  } finally {
    await dalga.stop();
  }
}
