import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { scrapeBalanced, scrapeUntil } from '../helpers/balance.ts';
import { repetitions } from '../helpers/recorder.ts';
import { closeScene, freePort, type Launched, openScene, type Scene } from '../helpers/scene.ts';
import { steadyLoad } from '../helpers/steady-load.ts';
import type { ThreadFault } from './programs/on-fault.ts';

const PROGRAM = fileURLToPath(new URL('./programs/dalga-with-breakage.js', import.meta.url));

/** What was confirmed longer before the end of a process must not come again, ms; and what a slow machine adds. */
const REPEATABLE = 250 + 2000;

t.test('a publisher thread that crashes', { timeout: 120_000 }, (t) => losePublisher(t, 'publisher-error'));

t.test('a publisher thread that has no memory left', { timeout: 120_000 }, (t) =>
  losePublisher(t, 'publisher-memory'),
);

t.test('a scheduler thread that crashes', { timeout: 120_000 }, (t) =>
  loseScheduler(t, 'scheduler-error', 'a fault of the scheduler that a test has brought about'),
);

t.test('a scheduler thread that has no memory left', { timeout: 120_000 }, (t) =>
  loseScheduler(
    t,
    'scheduler-memory',
    'Worker terminated due to reaching memory limit: JS heap out of memory',
  ),
);

/** Another thread takes its place; what it had not told the end of comes again, and nothing else. */
async function losePublisher(t: Test, fault: ThreadFault): Promise<void> {
  const { scene, instance } = await begin(t, fault);
  const { account, recorder } = scene;
  const at = Date.now();
  const mark = instance.process.log.length;
  instance.process.child.kill('SIGUSR2');
  await instance.process.logged('a publisher thread has ended: another one takes its place', mark);
  await instance.process.logged('connected to RabbitMQ', mark);
  const back = Date.now();
  // All that came in this span may come again: how many that is, is judged below.
  account.oracle.mayRepeat({ from: at - 60_000, to: back });
  account.oracle.trouble({ from: at - 1000, to: Number.POSITIVE_INFINITY });
  await recorder.arrival(({ scheduledAt }) => scheduledAt > back);
  const { samples } = await scrapeUntil(
    t,
    instance.url,
    (now) => now.get('dalga_occurrences_held_back') === 0,
  );
  t.equal(samples.get('dalga_ready'), 1);
  t.equal(instance.process.child.exitCode, null, 'the process goes on');

  const report = await closeScene(t, scene, instance);
  t.ok(report.ok, account.tell(report));
  t.ok(report.counts.expected > 300);
  const repeated = repetitions(recorder.arrivals).length;
  const lost = samples.get('dalga_messages_lost_total')!;
  t.comment(`${lost} messages were unconfirmed when the thread ended, ${repeated} of them came twice`);
  t.ok(repeated <= lost, 'only what was unconfirmed came again');
}

/** The process ends with code 1 and says why; what is durable is enough to go on. */
async function loseScheduler(t: Test, fault: ThreadFault, message: string): Promise<void> {
  const { scene, instance, port } = await begin(t, fault);
  const at = Date.now();
  instance.process.child.kill('SIGUSR2');
  t.equal(await instance.process.exited, 1, 'the exit code');
  scene.account.crashed(at - REPEATABLE, Date.now());
  scene.account.oracle.trouble({ from: at - REPEATABLE, to: Number.POSITIVE_INFINITY });
  const said = instance.process.stderr
    .trimEnd()
    .split('\n')
    .filter((line) => line.startsWith('dalga: '));
  t.equal(said.at(-1), `dalga: stopped by a fault: ${message}`, instance.process.stderr.slice(-500));

  const again = scene.launch(port);
  await again.process.ready(again.url);
  const report = await closeScene(t, scene, again);
  t.ok(report.ok, scene.account.tell(report));
  t.ok(report.counts.expected > 300);
}

/** Dalga at some hundred messages a second, with a fault that SIGUSR2 brings about. */
async function begin(
  t: Test,
  fault: ThreadFault,
): Promise<{ scene: Scene; instance: Launched; port: number }> {
  const scene = await openScene(t, {
    program: PROGRAM,
    env: {
      DALGA_LEASE: '1s',
      TEST_FAULT: fault,
      // Of each thread; what a test exhausts should not be all of the machine's.
      NODE_OPTIONS: '--max-old-space-size=128',
    },
    oracle: { lateAfter: 30_000 },
  });
  const from = Date.now() + 1000;
  await scene.seed(steadyLoad({ rate: 500, from, duration: 30_000, seed: 1 }));
  const port = await freePort();
  const instance = scene.launch(port);
  await instance.process.ready(instance.url);
  const ready = Math.max(from, Date.now());
  await scene.recorder.arrival(({ scheduledAt }) => scheduledAt > ready + 500);
  await scrapeBalanced(t, instance.url);
  return { scene, instance, port };
}
