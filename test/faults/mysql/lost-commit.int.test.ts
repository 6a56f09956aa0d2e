import t, { type Test } from 'tap';
import { openSession } from '../../../src/database/session.ts';
import { startProxy, type TcpProxy } from '../../helpers/proxy.ts';
import { testMysql } from '../../helpers/servers.ts';
import { inParallel } from '../../helpers/service.ts';
import { gate, isCommit, isWriteOfJob, never, trapCommit } from './commit-trap.ts';
import { isRefused } from './outage.ts';
import { startWorld, type World } from './world.ts';

/** Long, so that no session ends by itself: who gives one up has to end it. */
const LEASE = { DALGA_LEASE: '60s' };

/** The program, whose commits pass through a proxy, and how often a job was written, by what MySQL says. */
async function worldBehindProxy(
  t: Test,
): Promise<{ world: World; proxy: TcpProxy; written: (job: string) => Promise<number> }> {
  const database = await testMysql();
  const proxy = await startProxy(database);
  t.teardown(async () => {
    await proxy.close();
    await database.close();
  });
  const world = await startWorld(t, { ...database, port: proxy.port, table: 'dalga' }, LEASE);
  const session = await openSession({ ...database, table: 'dalga' });
  t.teardown(() => session.close());
  return {
    world,
    proxy,
    async written(job) {
      const sql = 'SELECT COALESCE(SUM(version), 0) FROM dalga WHERE job = ?';
      const { rows } = await session.run({ sql, values: [Buffer.from(job)] });
      return Number(rows[0]?.[0]);
    },
  };
}

t.jobs = 2;

t.test('what became of a COMMIT is found out', { buffered: true, timeout: 180_000 }, async (t) => {
  const { world, proxy, written } = await worldBehindProxy(t);

  trapCommit(proxy, { answer: never });
  t.equal((await world.put('answer_lost')).status, 201, 'it was carried out, its answer was lost');
  t.equal(await written('answer_lost'), 1);

  const late = gate();
  const inTime = trapCommit(proxy, {
    commit: late.opened,
    others: (statement) => {
      if (!/KILL \d/.test(statement)) return null;
      late.open();
      return inTime.answered;
    },
  });
  t.equal(
    (await world.put('before_kill')).status,
    201,
    'it lands after it was given up, but before the KILL',
  );
  t.equal(await written('before_kill'), 1);

  const tooLate = gate();
  trapCommit(proxy, { commit: tooLate.opened });
  isRefused(t, await world.put('after_kill'), 'it lands after the KILL');
  t.equal(await written('after_kill'), 0);
  tooLate.open();
  await world.putAtLast('next');
  await world.ranAfter(Date.now());
  t.equal(await written('after_kill'), 0, 'and has no effect');
  t.equal((await world.ask('GET', 'after_kill')).status, 404);
  await world.judge(t);
});

t.test('while it cannot be found out it is unknown', { buffered: true, timeout: 180_000 }, async (t) => {
  const { world, proxy, written } = await worldBehindProxy(t);
  const runs = (job: string) => world.messages.filter(({ content }) => content.toString() === job).length;

  /** Asks for a job whose COMMIT stays on its way, with no other connection to be had. */
  async function isUnknown(job: string): Promise<{ land: () => void; answered: Promise<void> }> {
    const landing = gate();
    const { sent, answered } = trapCommit(proxy, { commit: landing.opened });
    const asked = world.put(job);
    await sent;
    proxy.refuse(true);
    isRefused(t, await world.put(`beside-${job}`), 'nothing is written meanwhile');
    t.match(await asked, { status: 503, code: 'outcome_unknown', retryAfter: /^\d+$/ }, job);
    await world.ranAfter(Date.now());
    t.equal(runs(job), 0, 'it is not run before it is known');
    return { land: landing.open, answered };
  }

  const lands = await isUnknown('lands');
  lands.land();
  await lands.answered;
  proxy.refuse(false);
  await world.until('a run of what was stored after all', () => runs('lands') > 0);
  t.equal(await written('lands'), 1);
  t.equal((await world.ask('GET', 'lands')).status, 200);

  const vanishes = await isUnknown('vanishes');
  proxy.refuse(false);
  await world.putAtLast('after');
  vanishes.land();
  await world.ranAfter(Date.now() + 1_000);
  t.equal(await written('vanishes'), 0);
  t.equal((await world.ask('GET', 'vanishes')).status, 404);
  t.equal(runs('vanishes'), 0);
  await world.judge(t);
});

t.test(
  'connections that break at COMMIT, again and again',
  { buffered: true, timeout: 180_000 },
  async (t) => {
    const { world, proxy, written } = await worldBehindProxy(t);
    let commits = 0;
    let writer = 0;
    const cuts = { before: 0, after: 0 };
    let cutAnswer = false;
    proxy.listen((from, data, connection) => {
      if (from === 'client' && isWriteOfJob(data.toString('latin1'))) writer = connection;
      if (connection !== writer) return;
      if (from === 'server' && cutAnswer) {
        cutAnswer = false;
        cuts.after++;
        proxy.cut();
      } else if (from === 'client' && isCommit(data) && ++commits % 3 === 0) {
        cutAnswer = commits % 2 === 0;
        if (cutAnswer) return;
        cuts.before++;
        proxy.cut();
      }
    });
    const answers = new Map<string, number>();
    const jobs = Array.from({ length: 60 }, (_, index) => `job-${index}`);
    await inParallel(jobs, 3, async (job) => {
      answers.set(job, (await world.put(job)).status);
    });
    proxy.listen(null);
    t.ok(cuts.before > 2 && cuts.after > 2, `cut ${cuts.before} times before and ${cuts.after} after COMMIT`);
    for (const [job, status] of answers) {
      const stored = status === 503 ? 0 : 1;
      t.equal(await written(job), stored, `${job} was answered with ${status}`);
      t.equal((await world.ask('GET', job)).status, stored === 1 ? 200 : 404);
    }
    // However quick all this was: each job has run since.
    await world.ranAfter(Date.now());
    await world.judge(t);
  },
);
