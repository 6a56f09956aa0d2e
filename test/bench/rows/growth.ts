import { setTimeout as delay } from 'node:timers/promises';
import { type BenchDatabase, freshDatabase } from '../database.ts';
import { startLeanConsumer } from '../lean-consumer.ts';
import { cpuSeconds } from '../process-stats.ts';
import { type BenchQueue, freshQueue } from '../queue.ts';
import { inTurns, median, medianOf } from '../rounds.ts';
import type { Bench, Row } from '../row.ts';
import { runDalga } from '../run-dalga.ts';
import { scaled, scaledTime } from '../scale.ts';
import { owesNothingBefore, seedTable } from '../seed-table.ts';

/** Each with an interval that makes the same 3,333 messages a second of it, ms. */
const SIZES = [
  { jobs: 10_000, intervalMs: 3000 },
  { jobs: 100_000, intervalMs: 30_000 },
  { jobs: 1_000_000, intervalMs: 300_000 },
  { jobs: 5_000_000, intervalMs: 1_500_000 },
];
/** What the start has left behind is sent by then, ms. */
const SETTLING = 15_000;
const WINDOW = 30_000;

export const row: Row = {
  name: 'growth',
  how:
    'CPU of the Dalga process for each confirmed message, over 30 s at 3,333 messages a second, which 10,000, ' +
    '100,000, 1,000,000 and 5,000,000 jobs make; a consumer is attached',
  async run(bench) {
    const databases: BenchDatabase[] = [];
    const queue = await freshQueue(bench.rabbitmq);
    try {
      const sides: [string, () => Promise<{ cpu: number }>][] = [];
      for (const { jobs, intervalMs } of SIZES) {
        const database = await freshDatabase(bench.mysql);
        databases.push(database);
        const seed = { jobs: scaled(bench, jobs), intervalMs, from: Date.now(), routingKey: queue.name };
        await seedTable(database, seed);
        bench.say(`${seed.jobs} jobs are in a table`);
        sides.push([String(jobs), () => measure(bench, database, queue)]);
      }
      const rounds = await inTurns(bench, Object.fromEntries(sides));
      const first = `${SIZES[0]!.jobs}.cpu`;
      const last = `${SIZES.at(-1)!.jobs}.cpu`;
      return {
        figures: [
          {
            ...{ name: '5,000,000 against 10,000 jobs', unit: 'x' },
            value: median(rounds.map((round) => round[last]! / round[first]!)),
            goal: { must: 1.5, aim: 1.2, good: 'at most' },
          },
          ...SIZES.map(({ jobs }) => ({
            name: `at ${jobs.toLocaleString('en-US')} jobs`,
            value: medianOf(rounds, `${jobs}.cpu`),
            unit: 'us/message',
          })),
        ],
        rounds,
      };
    } finally {
      await queue.remove();
      for (const database of databases) await database.drop();
    }
  },
};

/** us of CPU for each message. */
async function measure(bench: Bench, mysql: BenchDatabase, queue: BenchQueue): Promise<{ cpu: number }> {
  await owesNothingBefore(mysql, Date.now());
  const consumer = await startLeanConsumer(bench.rabbitmq, queue.name);
  const dalga = await runDalga({ mysql, rabbitmq: bench.rabbitmq });
  try {
    await dalga.ready();
    await delay(scaledTime(bench, SETTLING));
    const look = async () => {
      const cpu = cpuSeconds(dalga.pid);
      const confirmed = (await dalga.metrics()).get('dalga_occurrences_confirmed_total') ?? 0;
      return { cpu, confirmed };
    };
    const before = await look();
    await delay(scaledTime(bench, WINDOW, 1500));
    const after = await look();
    const messages = after.confirmed - before.confirmed;
    if (messages === 0) throw new Error('no message was confirmed');
    return { cpu: ((after.cpu - before.cpu) / messages) * 1e6 };
  } finally {
    await dalga.stop();
    await consumer.close();
  }
}
