import { freshDatabase, freshQueue, runDalga, seedTable } from '../harness.ts';
import { measureRatio } from '../http-ratio.ts';
import type { Row } from '../row.ts';
import { scaled } from '../scale.ts';

/** They make 1,000 messages a second. */
const JOBS = 1_000_000;
const INTERVAL = 1_000_000;

/** GETs of random jobs. */
export const row: Row = {
  name: 'reads',
  how:
    'autocannon, 64 connections, each GET of a random job of 1,000,000, against a bare Fastify route under the same ' +
    'load: 1,000 messages a second are published beside either; the generator and the servers share the cores',
  async run(bench) {
    const jobs = scaled(bench, JOBS);
    const queue = await freshQueue(bench.rabbitmq);
    const mysql = await freshDatabase(bench.mysql);
    try {
      bench.say(`filling a table with ${jobs} jobs`);
      await seedTable(mysql, { jobs, intervalMs: INTERVAL, from: Date.now(), routingKey: queue.name });
      return await measureRatio(bench, {
        ...{ kind: 'get', routingKey: queue.name, jobs },
        goal: { must: 0.6, aim: 0.75, good: 'at least' },
        async withDalga(measure) {
          const dalga = await runDalga({ mysql, rabbitmq: bench.rabbitmq });
          try {
            await dalga.ready();
            const { numbers } = await measure(dalga);
            await dalga.stop();
            return numbers;
          } finally {
            await dalga.kill();
            await queue.purge();
          }
        },
      });
    } finally {
      await mysql.drop();
      await queue.remove();
    }
  },
};
