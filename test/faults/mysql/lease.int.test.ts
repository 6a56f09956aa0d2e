import t, { type Test } from 'tap';
import { freePorts } from '../../../src/quickstart/free-port.ts';
import { DalgaProcess, environment } from '../../helpers/dalga-process.ts';
import { isRefused, isToldOnce } from './outage.ts';
import { type OwnMysql, startOwnMysql } from './own-mysql.ts';
import { JOBS, startWorld, type World } from './world.ts';

const ENDED = 'the lease has ended';

/** MySQL is away for longer than the lease, and nothing is published then. @returns when MySQL was back, Unix ms */
async function isSilentPastLease(t: Test, server: OwnMysql, worlds: readonly World[]): Promise<number> {
  const begun = worlds.map(({ logEnd }) => logEnd);
  await server.kill();
  for (const [index, world] of worlds.entries()) {
    await world.logged(ENDED, begun[index]);
    // What a publisher was writing when the lease ended has come by then.
    await world.until('all jobs are due', async () => (await world.scrape())('jobs_due') === JOBS.length);
    t.equal((await fetch(`${world.url}/readyz`)).status, 503);
  }
  const before = worlds.map(({ messages }) => messages.length);
  await Promise.all(worlds.map(async (world) => isRefused(t, await world.put('refused'), 'a PUT')));
  t.same(
    worlds.map(({ messages }) => messages.length),
    before,
    'nothing is published, although all jobs are due',
  );
  await server.start();
  return Date.now();
}

t.test('past its lease an owner that could have a successor is silent', { timeout: 180_000 }, async (t) => {
  const server = await startOwnMysql(t);
  const { mysql } = server;
  const [stopping, watched] = await Promise.all([
    startWorld(t, { ...mysql, table: 'stopping' }, { DALGA_WITHOUT_LEASE: 'stop' }),
    startWorld(t, mysql),
  ]);
  const [port] = (await freePorts(1)) as [number];
  const standby = new DalgaProcess(environment(watched.settings, port));
  t.teardown(() => standby.kill());
  const standbyUrl = `http://127.0.0.1:${port}`;
  await standby.logged('standby');
  // A renewal that began half a lease later, or more, has looked for standbys since then.
  const [[now]] = (await server.query('SELECT CAST(UTC_TIMESTAMP(3) AS CHAR)')) as [[string]];
  await watched.until('the owner has seen the standby', async () => {
    const [[seen]] = (await server.query(
      `SELECT lease_until > '${now}' + INTERVAL 1500000 MICROSECOND FROM dalga_state`,
    )) as [[number]];
    return seen === 1;
  });

  const struckAt = Date.now();
  const from = stopping.logEnd;
  const healedAt = await isSilentPastLease(t, server, [stopping, watched]);

  await stopping.ranAfter(healedAt);
  await stopping.putAtLast('after');
  await stopping.logged('the lease is renewed', from);
  isToldOnce(t, stopping.told(from), /^the lease has ended/, /^the lease is renewed/);
  await stopping.judge(t);

  // One of the two owns the table; what the other one has published since the last checkpoint may come again.
  watched.oracle.mayRepeat({ from: struckAt - 2_000, to: healedAt });
  await watched.ranAfter(healedAt);
  await watched.until('there is one owner', async () => {
    const reads = await Promise.all([watched.url, standbyUrl].map((url) => watched.scrape(url)));
    const [one = 0, other = 0] = reads.map((read) => read('lease_state{state="owner"}'));
    return one + other === 1;
  });
  await watched.judge(t);
});
