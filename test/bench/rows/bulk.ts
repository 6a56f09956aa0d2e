import { MultiRowInsert } from '../baselines/multi-row-insert.ts';
import { type BulkAnswer, type BulkRequest, writeJobs } from '../bulk-load.ts';
import { Child, cpuSeconds, freshDatabase, inTurns, medianOf, memoryOf, runDalga } from '../harness.ts';
import type { Bench, Row } from '../row.ts';
import { scaled } from '../scale.ts';

const JOBS = 1_000_000;
/** s: none is due while it is measured. */
const INTERVAL = 86_400;
const ROUTING_KEY = 'bench.bulk';

type Numbers = Readonly<Record<string, number>>;

/** One call that makes all jobs. */
export const row: Row = {
  name: 'bulk',
  how:
    'POST of 1,000,000 jobs of 50 bytes as NDJSON by one client, from its first byte to the last line of the answer, ' +
    'into empty tables, against the same rows by multi-row INSERTs of mysql2 from memory, with as many sessions and ' +
    'rows in a statement as are quickest here',
  async run(bench) {
    const jobs = scaled(bench, JOBS);
    const { file, remove } = await writeJobs(jobs, ROUTING_KEY, INTERVAL);
    const insert = new MultiRowInsert();
    try {
      const way = await tune(bench, insert, jobs);
      const rounds = await inTurns(bench, {
        dalga: () => loadByDalga(bench, file, jobs),
        mysql2: () =>
          withRows(bench, insert, jobs, async () => {
            const ms = await insert.insert(way);
            return { rate: jobs / (ms / 1000), ...way };
          }),
      });
      const ratios = rounds.map((round) => ({
        ...round,
        ratio: round['dalga.rate']! / round['mysql2.rate']!,
      }));
      return {
        figures: [
          {
            name: 'bulk load against multi-row INSERTs',
            value: medianOf(ratios, 'ratio'),
            unit: 'x',
            goal: { must: 0.6, aim: 0.9, good: 'at least' },
          },
          { name: 'bulk load', value: medianOf(ratios, 'dalga.rate'), unit: 'jobs/s' },
          { name: 'multi-row INSERTs', value: medianOf(ratios, 'mysql2.rate'), unit: 'rows/s' },
        ],
        rounds: ratios,
      };
    } finally {
      await insert.close();
      remove();
    }
  },
};

function tune(bench: Bench, insert: MultiRowInsert, jobs: number): ReturnType<MultiRowInsert['quickest']> {
  return withRows(bench, insert, jobs, () => insert.quickest(bench.say));
}

/** Gives the INSERTs an empty table of Dalga's and its rows, and drops it. */
async function withRows<T>(
  bench: Bench,
  insert: MultiRowInsert,
  jobs: number,
  work: () => Promise<T>,
): Promise<T> {
  const mysql = await freshDatabase(bench.mysql);
  try {
    const { host, port, user, password, database, table } = mysql;
    const login = { host, port, user, password, database, table };
    await insert.prepare({ mysql: login, routingKey: ROUTING_KEY, jobs, interval: INTERVAL });
    return await work();
  } finally {
    await mysql.drop();
  }
}

async function loadByDalga(bench: Bench, file: string, jobs: number): Promise<Numbers> {
  const mysql = await freshDatabase(bench.mysql);
  const client = new Child<BulkRequest, BulkAnswer>(new URL('../bulk-load-process.js', import.meta.url));
  const dalga = await runDalga({ mysql, rabbitmq: bench.rabbitmq });
  try {
    await dalga.ready();
    const cpu = cpuSeconds(dalga.pid);
    const { ms, complete, created } = await client.ask({ url: dalga.url, file });
    if (!complete || created !== jobs) throw new Error(`of ${jobs} jobs ${created} were made`);
    const seconds = ms / 1000;
    const numbers = {
      rate: jobs / seconds,
      cpu: (cpuSeconds(dalga.pid) - cpu) / seconds,
      peakMiB: memoryOf(dalga.pid).peak / 2 ** 20,
    };
    await dalga.stop();
    return numbers;
  } finally {
    await dalga.kill();
    await client.close();
    await mysql.drop();
  }
}
