import { setTimeout as delay } from 'node:timers/promises';
import { createConnection } from 'mysql2';
import { connectionOptions } from '../../../src/database/session.ts';
import { jobStatements } from '../../../src/database/statements.ts';
import { type BenchDatabase, freshDatabase } from '../database.ts';
import { type LeanConsumer, startLeanConsumer } from '../lean-consumer.ts';
import { freshQueue } from '../queue.ts';
import { inTurns, medianOf } from '../rounds.ts';
import type { Figure, Row } from '../row.ts';
import { type RunningDalga, runDalga } from '../run-dalga.ts';
import { scaled, scaledTime } from '../scale.ts';
import { owesNothingBefore, seedTable } from '../seed-table.ts';

const JOBS = 1_000_000;
const INTERVAL = 300_000;
/** How long it runs between two starts, ms: what the last one left behind is sent by then. */
const STEADY = 10_000;
/** How long the first message may take, ms. */
const PATIENCE = 300_000;
/** ms */
const POLL = 10;

export const row: Row = {
  name: 'start',
  how:
    '1,000,000 jobs at 300 s: from the start of the process to the first due message at a consumer, and to /readyz ' +
    '(all is loaded); after a clean stop, and after kill -9 and a start on the same address',
  async run(bench) {
    const database = await freshDatabase(bench.mysql);
    const queue = await freshQueue(bench.rabbitmq);
    await seedTable(database, {
      ...{ jobs: scaled(bench, JOBS), intervalMs: INTERVAL, from: Date.now(), routingKey: queue.name },
    });
    const consumer = await startLeanConsumer(bench.rabbitmq, queue.name);
    await owesNothingBefore(database, Date.now());
    const servers = { mysql: database, rabbitmq: bench.rabbitmq };
    let dalga = await runDalga(servers);
    try {
      await dalga.ready();
      const again = async (end: () => Promise<unknown>) => {
        await delay(scaledTime(bench, STEADY));
        await end();
        // Whatever is still on its way was sent by the one that has ended.
        while ((await queue.count()) > 0) await delay(POLL);
        await quiet(consumer);
        dalga = await runDalga({ ...servers, port: dalga.port });
        const [first, ready] = await Promise.all([firstMessage(consumer, dalga), dalga.ready()]);
        return { first: first - dalga.startedAt, ready: ready - dalga.startedAt };
      };
      const rounds = await inTurns(bench, {
        clean: async () => {
          let mysql2 = 0;
          const times = await again(async () => {
            await dalga.stop();
            mysql2 = await readAll(database);
          });
          return { ...times, mysql2 };
        },
        kill: () => again(() => dalga.kill()),
      });
      const figure = (name: string, key: string, must: number, aim: number): Figure => ({
        ...{ name, value: medianOf(rounds, key) / 1000, unit: 's' },
        goal: { must, aim, good: 'at most' },
      });
      return {
        figures: [
          figure('first message after a clean stop', 'clean.first', 1.5, 0.8),
          figure('ready after a clean stop', 'clean.ready', 4, 2),
          figure('first message after kill -9', 'kill.first', 1.5, 0.8),
          figure('ready after kill -9', 'kill.ready', 4, 2),
          { name: 'mysql2 alone reads the rows', value: medianOf(rounds, 'clean.mysql2') / 1000, unit: 's' },
        ],
        rounds,
      };
    } finally {
      await dalga.stop();
      await consumer.close();
      await queue.remove();
      await database.drop();
    }
  },
};

/** Begins anew once nothing more comes. */
async function quiet(consumer: LeanConsumer): Promise<void> {
  do {
    await consumer.reset();
    await delay(100);
  } while ((await consumer.report()).received > 0);
}

/** @returns when it came, Unix ms */
async function firstMessage(consumer: LeanConsumer, { startedAt, process }: RunningDalga): Promise<number> {
  while (Date.now() < startedAt + PATIENCE) {
    const { firstAt } = await consumer.report();
    if (firstAt !== null) return firstAt;
    await delay(POLL);
  }
  throw new Error(`no message came\n${process.tail()}`);
}

/** ms that mysql2 alone takes for the rows, streamed as the loader does. */
async function readAll(database: BenchDatabase): Promise<number> {
  const connection = createConnection(connectionOptions(database));
  const begun = performance.now();
  try {
    await new Promise<void>((resolve, reject) => {
      const query = connection.query({
        sql: jobStatements(database.table).load(0).sql,
        values: [0],
        rowsAsArray: true,
      });
      query.on('error', reject);
      query.on('result', () => {});
      query.on('end', () => resolve());
    });
    return performance.now() - begun;
  } finally {
    connection.destroy();
  }
}
