import t from 'tap';
import type { MysqlConfig } from '../../../src/config.ts';
import { openSession } from '../../../src/database/session.ts';
import { jobStatements } from '../../../src/database/statements.ts';
import { nameJob } from '../../../src/job/named-job.ts';
import { startProxy } from '../../helpers/proxy.ts';
import { intervalRow } from '../../helpers/rows.ts';
import { testMysql } from '../../helpers/servers.ts';
import { JOBS, startWorld } from './world.ts';

const QUIET_JOBS = 20_000;
const ROWS_PER_STATEMENT = 5_000;
const HOUR = 3_600_000;

/** Bytes of the load after which the network swallows it: a part of the whole. */
const SWALLOW_AFTER = 500_000;

/** Puts jobs into the table that are due in an hour; nothing may own it. */
async function addQuietJobs(mysql: MysqlConfig, key: string): Promise<void> {
  const session = await openSession(mysql, { deadline: 60_000 });
  for (let first = 1; first <= QUIET_JOBS; first += ROWS_PER_STATEMENT) {
    const rows = Array.from({ length: ROWS_PER_STATEMENT }, (_, index) => {
      const name = `quiet-${first + index}`.padEnd(50, '-');
      const hash = nameJob({ routingKey: key, job: name }).hash;
      return { hash, row: intervalRow(1_000 + first + index, HOUR, Date.now() + HOUR, { key, name }) };
    });
    await session.run(jobStatements(mysql.table).upsert(rows));
  }
  await session.run({ sql: `UPDATE ${mysql.table}_state SET next_id = ?`, values: [10 * QUIET_JOBS] });
  await session.close();
}

t.test(
  'the load is swallowed by the network, and goes on after its last row',
  { timeout: 180_000 },
  async (t) => {
    const database = await testMysql();
    const proxy = await startProxy(database);
    t.teardown(async () => {
      await proxy.close();
      await database.close();
    });
    const world = await startWorld(t, { ...database, port: proxy.port, table: 'dalga' });
    t.equal(await world.process.stop(), 0);
    await addQuietJobs({ ...database, table: 'dalga' }, world.queue);

    // The connections of that moment stay silent for ever, and neither side is told; later ones work.
    const bytes = new Map<number, number>();
    let swallowed = 0;
    proxy.listen((from, data, connection) => {
      if (from === 'client' || swallowed !== 0) return;
      bytes.set(connection, (bytes.get(connection) ?? 0) + data.length);
      if (bytes.get(connection)! < SWALLOW_AFTER) return;
      swallowed = connection;
      proxy.blackHole(true);
      proxy.blackHole(false);
    });
    const startedAt = Date.now();
    world.start();
    await world.until('the load is swallowed', () => swallowed !== 0);
    await world.ranAfter(startedAt + 3_000);
    await world.putAtLast('meanwhile');
    const state = await (await fetch(`${world.url}/readyz`)).json();
    t.match(
      state,
      { ready: false, reasons: { loading: /jobs loaded so far/ } },
      'what was loaded runs all the while',
    );

    await world.putAtLast('meanwhile');

    await world.logged('the load broke off');
    await world.logged('the load goes on');
    await world.logged(`loaded ${JOBS.length + QUIET_JOBS + 1} jobs`);
    await world.until('all jobs are there', async () => {
      const read = await world.scrape();
      return read('jobs') === JOBS.length + QUIET_JOBS + 1 && read('ready') === 1;
    });
    // What ran while the table was not loaded was in no checkpoint, and nobody ended meanwhile.
    await world.judge(t);
  },
);
