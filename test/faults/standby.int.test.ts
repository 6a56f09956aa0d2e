import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { ApiWriters } from '../helpers/api-writers.ts';
import { scrapeBalanced } from '../helpers/balance.ts';
import { type Crash, needless, readDurableState } from '../helpers/durable-state.ts';
import { startProxy, type TcpProxy } from '../helpers/proxy.ts';
import { repetitions } from '../helpers/recorder.ts';
import { closeScene, freePort, isQuiet, type Launched, openScene, type Scene } from '../helpers/scene.ts';
import type { SeedJob } from '../helpers/seed-jobs.ts';

/** For another figure: DALGA_TEST_JOBS=1000000 npm test -- --timeout=1200 test/faults/standby.int.test.ts */
const JOBS = Number(process.env.DALGA_TEST_JOBS ?? 100_000);
/** The default lease, ms. */
const LEASE = 5000;
/** So that there are about 1,667 messages a second, ms. */
const INTERVAL = Math.max(60_000, Math.round(JOBS / 1_667) * 1000);
/** What was on its way to MySQL when a fault came has arrived after this, and no standby has taken over yet, ms. */
const ARRIVES = 1000;
/** Far above what a takeover takes, even on a loaded machine, ms. */
const BOUND = 120_000;

/** Two instances on one table, each with a network of its own to MySQL. */
type Instance = Launched & { readonly port: number; readonly proxy: TcpProxy };

t.test('an owner and a standby', { timeout: JOBS > 100_000 ? 1_200_000 : 280_000 }, async (t) => {
  const scene = await openScene(t, { oracle: { lateAfter: 30_000, inFlight: 5000, inFlightReplaced: 5000 } });
  const { account } = scene;
  await scene.seed(jobs(JOBS));
  const begun = Date.now();
  let first = await launch(t, scene);
  await first.process.ready(first.url);
  const second = await launch(t, scene);
  let owner = first;
  const crashes: Fault[] = [];
  const writers = new ApiWriters({
    url: () => owner.url,
    routingKey: scene.queue,
    writers: 4,
    rate: 40,
    seed: 1,
    journal: account,
  });
  await second.process.logged('standby');

  await t.test('the standby reads, and says who owns the table', async (t) => {
    const job = `${second.url}/jobs/${scene.queue}/s1`;
    t.equal((await fetch(job)).status, 200);
    const put = await fetch(`${job}?interval=60`, { method: 'PUT' });
    t.equal(put.status, 503);
    t.equal(put.headers.get('retry-after'), '1');
    const problem = (await put.json()) as { detail: string };
    t.match(problem, { code: 'not_owner' });
    t.ok(problem.detail.includes(`127.0.0.1:${first.port}`), problem.detail);
    t.equal((await fetch(`${first.url}/readyz`)).status, 200);
    const ready = await fetch(`${second.url}/readyz`);
    t.equal(ready.status, 503);
    t.match(await ready.json(), { reasons: { ownership: problem.detail } });
  });

  await t.test('kill -9 of the owner', async (t) => {
    const fault = await crash(t, scene, second, () => first.process.kill());
    crashes.push(fault);
    owner = second;
    await takenOver(t, scene, second, { ...fault, name: 'kill -9' });
    first = await launch(t, scene, first);
    await first.process.logged('standby');
  });

  await t.test('a frozen owner finds itself fenced', async (t) => {
    const fault = await crash(t, scene, first, () => freeze(second));
    crashes.push(fault);
    owner = first;
    await takenOver(t, scene, first, { ...fault, name: 'freeze' });
    await thaw(t, scene, { frozen: second, owner: first }, fault.at);
  });

  await t.test('an owner that is frozen between BEGIN and COMMIT', async (t) => {
    const fault = await crash(t, scene, second, () => freezeAtCommit(first));
    crashes.push(fault);
    owner = second;
    await takenOver(t, scene, second, { ...fault, name: 'freeze with the state row locked' });
    first.proxy.blackHole(false);
    await thaw(t, scene, { frozen: first, owner: second }, fault.at);
  });

  await t.test('an owner that is cut off from MySQL', async (t) => {
    // It goes on until its lease ends.
    const fault = await crash(t, scene, first, async () => second.proxy.blackHole(true));
    const marks = second.process.log.length;
    await takenOver(t, scene, first, { ...fault, name: 'partition from MySQL' });
    owner = first;
    second.proxy.blackHole(false);
    await becameStandby(t, second, marks);
    crashes.push({ ...fault, goneAt: Date.now() });
    account.oracle.staleOwner({ from: fault.at, to: Date.now() });
  });

  await writers.stop();
  await second.process.stop();
  account.oracle.trouble({ from: begun, to: Number.POSITIVE_INFINITY });
  // What may come again is judged below, by what was durable.
  account.oracle.mayRepeat({ from: begun, to: Number.POSITIVE_INFINITY });
  const report = await closeScene(t, scene, first);
  t.comment(account.tell(report));
  t.equal(report.count('lost'), 0, 'lost');
  t.ok(report.ok, `nothing else: ${account.tell(report)}`);
  t.ok(report.counts.expected > 10_000);
  t.same(needless(scene.recorder.arrivals, crashes), [], 'what is settled durably is not repeated');
});

t.test('an owner that was killed comes back on its own address, and waits for no lease', async (t) => {
  const scene = await openScene(t, { env: { DALGA_LEASE: '10m' } });
  const port = await freePort();
  const killed = scene.launch(port);
  await killed.process.ready(killed.url);
  await killed.process.kill();
  const again = scene.launch(port);
  await again.process.ready(again.url);
  t.notOk(
    again.process.log.some(({ msg }) => msg?.includes('standby')),
    'it was no standby',
  );
  t.match(await again.process.logged('this instance owns the table'), { epoch: 2 });
});

function jobs(count: number): SeedJob[] {
  const from = Date.now() + 5000;
  return Array.from({ length: count }, (_, index) => ({
    job: `s${index}`,
    intervalMs: INTERVAL,
    firstRun: from + Math.floor((index * INTERVAL) / count),
  }));
}

async function launch(t: Test, scene: Scene, before?: Instance): Promise<Instance> {
  const proxy = before?.proxy ?? (await startProxy(scene.settings.mysql));
  if (before === undefined) t.teardown(() => proxy.close());
  const port = before?.port ?? (await freePort());
  return { port, proxy, ...scene.launch(port, { DALGA_MYSQL_PORT: String(proxy.port) }) };
}

/** When a fault came about, Unix ms, how long the standby's log was then, and what the standby begins with. */
type Fault = Crash & { readonly mark: number };

/** Brings a fault of the owner about. */
async function crash(
  t: Test,
  scene: Scene,
  standby: Instance,
  bringAbout: () => Promise<void>,
): Promise<Fault> {
  await seen(scene.recorder);
  const mark = standby.process.log.length;
  await bringAbout();
  const at = Date.now();
  await delay(ARRIVES);
  const durable = await readDurableState(scene.database, { locking: false });
  t.ok(Date.now() < at + LEASE / 2, 'it is read before a standby takes over');
  return { at, goneAt: at, mark, durable };
}

/** Resolves when the owner must have seen a standby that is registered by now: it looks three times in a lease. */
async function seen(recorder: Scene['recorder']): Promise<void> {
  await allBefore(recorder, Date.now() + LEASE);
}

/** Resolves when a message of a later time came: what was sent before then is in the queue before it. */
async function allBefore({ arrivals, arrival }: Scene['recorder'], time: number): Promise<void> {
  await arrival(({ scheduledAt }) => scheduledAt > time, arrivals.length);
}

async function freeze({ process }: Instance): Promise<void> {
  process.child.kill('SIGSTOP');
}

/** Freezes the owner when it has sent all of a transaction but its COMMIT, which never arrives. */
function freezeAtCommit({ process, proxy }: Instance): Promise<void> {
  return new Promise((resolve) => {
    proxy.listen((from, data) => {
      if (from !== 'client' || !data.includes('COMMIT')) return;
      process.child.kill('SIGSTOP');
      proxy.blackHole(true);
      proxy.listen(null);
      resolve();
    });
  });
}

/** Resolves when the standby owns the table and its first message came. */
async function takenOver(
  t: Test,
  { recorder }: Scene,
  standby: Instance,
  { at, mark, name }: Fault & { readonly name: string },
): Promise<void> {
  const line = await standby.process.logged('this instance owns the table', mark);
  const ownedAt = Date.parse(String(line.time));
  t.ok(ownedAt >= at, 'first the fault, then the takeover');
  const message = await recorder.arrival(({ arrivedAt }) => arrivedAt >= ownedAt);
  const took = message.arrivedAt - at;
  t.comment(`${name}: the standby's first message after ${(took / 1000).toFixed(1)} s, with ${JOBS} jobs`);
  t.ok(took < BOUND);
  await standby.process.ready(standby.url);
  await scrapeBalanced(t, standby.url);
}

/** Lets a frozen owner go on some time after it has lost the table: it must find that out before it takes anything. */
async function thaw(
  t: Test,
  { account, recorder }: Scene,
  { frozen, owner }: { readonly frozen: Instance; readonly owner: Instance },
  at: number,
): Promise<void> {
  t.ok(await isQuiet(owner.url), 'the new owner has caught up');
  await allBefore(recorder, Date.now());
  const mark = frozen.process.log.length;
  const thawed = Date.now();
  frozen.process.child.kill('SIGCONT');
  await becameStandby(t, frozen, mark);
  await allBefore(recorder, Date.now());
  // What it was writing to a socket when it froze goes on its way.
  const again = repetitions(recorder.arrivals).filter(
    ({ arrival }) => arrival.arrivedAt > thawed && arrival.scheduledAt > at,
  );
  t.same(again, [], 'it sent nothing that became due meanwhile');
  account.oracle.staleOwner({ from: at, to: Date.now() });
}

async function becameStandby(t: Test, { process, url }: Instance, mark: number): Promise<void> {
  await process.logged('another instance has taken the table over', mark);
  await process.logged('standby', mark);
  const exposition = await scrapeBalanced(t, url);
  t.equal(exposition.samples.get('dalga_lease_state{state="standby"}'), 1);
  t.equal((await fetch(`${url}/readyz`)).status, 503);
}
