import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { type Asked, send } from '../helpers/api-writers.ts';
import { type DurableState, readDurableState } from '../helpers/durable-state.ts';
import { startRecorder } from '../helpers/recorder.ts';
import { closeScene, freePort, type Launched, openScene, type Scene } from '../helpers/scene.ts';
import { testRabbitmq } from '../helpers/servers.ts';
import { steadyLoad } from '../helpers/steady-load.ts';
import type { Report, Verdict } from '../oracle/oracle.ts';
import type { BreakageName } from './programs/breakages.ts';

/**
 * Deliberate breakages of real processes, and what the oracle says of each: an oracle that would not see these would
 * prove nothing. Where a race is rare the breakage holds it open.
 */
const PROGRAM = fileURLToPath(new URL('./programs/dalga-with-breakage.js', import.meta.url));

type Scenario = (t: Test, scene: Scene) => Promise<Report>;

const CASES: readonly (readonly [Scenario, Partial<Record<BreakageName, Verdict>>])[] = [
  [killedUnderLoad, { watermarkAhead: 'lost', settleBeforeConfirm: 'lost' }],
  [killedWhileItLoads, { frontierMovesDuringLoad: 'lost' }],
  [killedWithExceptions, { exceptionsIgnored: 'lost', exceptionsForgotten: 'lost' }],
  [killedAfterAnAnswer, { answerBeforeCommit: 'lost' }],
  [killedAfterAChange, { stampsNotCapped: 'lost' }],
  [deleted, { deleteBeforeAcknowledgement: 'phantom' }],
  [frozen, { noFence: 'repeated' }],
];

for (const [scenario, breakages] of CASES) {
  t.test(scenario.name, { timeout: 120_000 }, async (t) => {
    const report = await scenario(t, await open(t, null));
    t.ok(report.ok, `as it is: ${report}`);
  });
  for (const [name, verdict] of Object.entries(breakages)) {
    t.test(`${scenario.name}, ${name}`, { timeout: 120_000 }, async (t) => {
      const report = await scenario(t, await open(t, name));
      t.comment(report.toString().split('\n').slice(0, 3).join('\n'));
      t.ok(report.count(verdict) > 0, `${name}: ${verdict}`);
    });
  }
}

function open(t: Test, breakage: string | null): Promise<Scene> {
  const env = { DALGA_LEASE: '1s', ...(breakage === null ? {} : { TEST_BREAKAGE: breakage }) };
  return openScene(t, {
    env,
    program: PROGRAM,
    oracle: { lateAfter: 30_000, inFlight: 1000, inFlightReplaced: 1000 },
  });
}

async function killedUnderLoad(t: Test, scene: Scene): Promise<Report> {
  const port = await freePort();
  const from = Date.now() + 1000;
  await scene.seed(steadyLoad({ rate: 300, from, duration: 30_000, seed: 1 }));
  const instance = scene.launch(port);
  await scene.recorder.arrival(({ scheduledAt }) => scheduledAt > from + 2000);
  await instance.process.ready(instance.url);
  await kill(scene, instance);
  return end(t, scene, scene.launch(port));
}

async function killedWhileItLoads(t: Test, scene: Scene): Promise<Report> {
  const port = await freePort();
  const from = Date.now() + 1000;
  await scene.seed(steadyLoad({ rate: 300, from, duration: 30_000, seed: 1 }));
  const before = await readDurableState(scene.database);
  const instance = scene.launch(port);
  await instance.process.logged('this instance owns the table');
  // The broken one writes a watermark meanwhile; a sound one has loaded by then, or has written none.
  const moved = ({ watermark }: DurableState) => watermark > Math.max(before.watermark, from + 500);
  await durable(scene, moved);
  await kill(scene, instance);
  return end(t, scene, scene.launch(port));
}

async function killedWithExceptions(t: Test, scene: Scene): Promise<Report> {
  const broker = await testRabbitmq();
  const connection = await broker.connect();
  const channel = await connection.createChannel();
  const full = broker.name('full');
  const limits = { 'x-max-length': 1, 'x-overflow': 'reject-publish' };
  await channel.assertQueue(full, { durable: true, arguments: limits });
  channel.sendToQueue(full, Buffer.from('it takes no other'));

  const port = await freePort();
  const instance = scene.launch(port);
  await instance.process.ready(instance.url);
  const times = await Promise.all(['a', 'b', 'c'].map((job) => ask(scene, instance, job, once(1000), full)));
  await ask(scene, instance, 'ticker', { op: 'put', intervalMs: 1000, firstRun: Date.now() + 1000 });
  await durable(scene, ({ watermark }) => watermark > Math.max(...times) + 1000);
  await kill(scene, instance);

  await channel.deleteQueue(full);
  const mended = await startRecorder(broker.connect, full);
  const report = await end(t, scene, scene.launch(port), mended.arrivals);
  await mended.close({ deleteQueue: true });
  await connection.close();
  return report;
}

async function killedAfterAnAnswer(t: Test, scene: Scene): Promise<Report> {
  const port = await freePort();
  const instance = scene.launch(port);
  await instance.process.ready(instance.url);
  await ask(scene, instance, 'answered', once(2000));
  await kill(scene, instance);
  return end(t, scene, scene.launch(port));
}

async function killedAfterAChange(t: Test, scene: Scene): Promise<Report> {
  const port = await freePort();
  const instance = scene.launch(port);
  await instance.process.ready(instance.url);
  const time = await ask(scene, instance, 'changed', once(300));
  // A checkpoint is only written when something has settled.
  await ask(scene, instance, 'ticker', { op: 'put', intervalMs: 1000, firstRun: time });
  await durable(scene, ({ watermark }) => watermark > time);
  await kill(scene, instance);
  return end(t, scene, scene.launch(port));
}

async function deleted(t: Test, scene: Scene): Promise<Report> {
  const port = await freePort();
  const instance = scene.launch(port);
  await instance.process.ready(instance.url);
  const often: Asked = { op: 'put', intervalMs: 1000, firstRun: Date.now() + 1000 };
  await ask(scene, instance, 'ticker', often);
  await ask(scene, instance, 'deleted', often);
  await scene.recorder.arrival(({ job }) => job === 'deleted');
  await ask(scene, instance, 'deleted', { op: 'delete' });
  const answeredAt = Date.now();
  await scene.recorder.arrival(({ scheduledAt }) => scheduledAt > answeredAt + 2500);
  return end(t, scene, instance);
}

async function frozen(t: Test, scene: Scene): Promise<Report> {
  const first = scene.launch(await freePort());
  await first.process.ready(first.url);
  const often: Asked = { op: 'put', intervalMs: 1000, firstRun: Date.now() + 1000 };
  await ask(scene, first, 'ticker', often);
  const second = scene.launch(await freePort());
  await second.process.logged('standby');
  // The owner looks for standbys three times in a lease.
  await later(scene, 1500);
  const at = Date.now();
  first.process.child.kill('SIGSTOP');
  await second.process.ready(second.url);
  scene.account.crashed(at - 1000, Date.now());
  await later(scene, 1500);
  first.process.child.kill('SIGCONT');
  // The sound one becomes the standby; the broken one publishes what is another's.
  await Promise.race([first.process.logged('standby'), later(scene, 10_000)]);
  await later(scene, 2500);
  await first.process.kill();
  return end(t, scene, second);
}

/** A one-off that is due after `delay` ms. */
function once(delay: number): Asked {
  return { op: 'put', intervalMs: null, firstRun: Date.now() + delay };
}

/** Asks for a change of a job, which must be granted. @returns its first run */
async function ask(
  { account, queue }: Scene,
  { url }: Launched,
  job: string,
  asked: Asked,
  routingKey = queue,
): Promise<number> {
  const answered = account.sending(job, asked, Date.now());
  const result = await send(`${url}/jobs/${routingKey}/${job}`, asked);
  answered(result, Date.now());
  if (result !== 'created' && result !== 'done') throw new Error(`${job}: ${result}`);
  return asked.op === 'delete' ? 0 : asked.firstRun;
}

async function kill({ account }: Scene, { process, launchedAt }: Launched): Promise<void> {
  await process.kill();
  account.crashed(launchedAt, Date.now());
}

/** Resolves with a message that is due `ms` from now or later. */
async function later({ recorder }: Scene, ms: number): Promise<void> {
  const at = Date.now() + ms;
  await recorder.arrival(({ scheduledAt }) => scheduledAt >= at);
}

async function durable(scene: Scene, isThere: (state: DurableState) => boolean): Promise<void> {
  while (!isThere(await readDurableState(scene.database))) await delay(20);
}

async function end(t: Test, scene: Scene, instance: Launched, others: Scene['recorder']['arrivals'] = []) {
  await instance.process.ready(instance.url);
  scene.account.oracle.trouble({ from: 0, to: Number.POSITIVE_INFINITY });
  return closeScene(t, scene, instance, others);
}
