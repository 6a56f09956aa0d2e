import { freshDatabase, freshQueue, runDalga, seedTable } from '../harness.ts';
import { measureRatio } from '../http-ratio.ts';
import type { Row } from '../row.ts';
import { scaled } from '../scale.ts';

/** Jobs that are due every minute while the writes go on: 1,000 messages a second. */
const JOBS = 60_000;
const INTERVAL = 60_000;

/** Durable PUTs of new jobs. */
export const row: Row = {
  name: 'writes',
  how:
    'autocannon, 64 connections, each PUT a new job that is on disk before it is answered, against a bare Fastify ' +
    'route under the same load: 1,000 messages a second are published beside either; the generator and the servers ' +
    'share the cores',
  async run(bench) {
    const jobs = scaled(bench, JOBS);
    const queue = await freshQueue(bench.rabbitmq);
    try {
      return await measureRatio(bench, {
        ...{ kind: 'put', routingKey: queue.name, jobs },
        goal: { must: 0.33, aim: 0.45, good: 'at least' },
        async withDalga(measure) {
          const mysql = await freshDatabase(bench.mysql);
          await seedTable(mysql, { jobs, intervalMs: INTERVAL, from: Date.now(), routingKey: queue.name });
          const dalga = await runDalga({ mysql, rabbitmq: bench.rabbitmq });
          try {
            await dalga.ready();
            const { numbers, succeeded } = await measure(dalga);
            await checkStored(mysql, jobs + succeeded);
            await dalga.stop();
            return numbers;
          } finally {
            await dalga.kill();
            await queue.purge();
            await mysql.drop();
          }
        },
      });
    } finally {
      await queue.remove();
    }
  },
};

/** What was answered is there. */
async function checkStored(mysql: Awaited<ReturnType<typeof freshDatabase>>, atLeast: number): Promise<void> {
  const connection = await mysql.connect();
  const [rows] = await connection.query('SELECT COUNT(*) AS jobs FROM dalga');
  await connection.end();
  const { jobs } = (rows as { jobs: number }[])[0]!;
  if (jobs < atLeast) throw new Error(`${atLeast} jobs were answered to be stored, and ${jobs} are`);
}
