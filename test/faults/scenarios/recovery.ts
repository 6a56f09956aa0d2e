import type { Test } from 'tap';
import { EXCEPTIONS_LIMIT } from '../../../src/job/exceptions.ts';
import { scrapeUntil } from '../../helpers/balance.ts';
import { readDurableState } from '../../helpers/durable-state.ts';
import { startProxy } from '../../helpers/proxy.ts';
import { startRecorder } from '../../helpers/recorder.ts';
import { freePort, type Scene } from '../../helpers/scene.ts';
import { testRabbitmq } from '../../helpers/servers.ts';
import type { Report } from '../../oracle/oracle.ts';
import { ask, dueBy, durable, end, kill, often, once } from './scenario.ts';

/**
 * It is killed while the watermark stands at a job that is due: the broker is away, and the list of exceptions is full
 * of those that were due just before.
 */
export async function killedWithADueJob(t: Test, scene: Scene): Promise<Report> {
  const proxy = await startProxy(scene.settings.rabbitmq);
  t.teardown(() => proxy.close());
  proxy.refuse(true);
  const port = await freePort();
  const env = { DALGA_RABBITMQ_PORT: String(proxy.port) };
  const time = Date.now() + 8000;
  const before = Array.from({ length: EXCEPTIONS_LIMIT }, (_, index) => ({
    job: `before${index}`,
    intervalMs: null,
    firstRun: time - 1,
  }));
  await scene.seed([...before, { job: 'due', intervalMs: null, firstRun: time }]);
  const instance = scene.launch(port, env);
  await instance.process.logged('loaded');
  await durable(scene, ({ exceptions }) => exceptions.size === EXCEPTIONS_LIMIT);
  await kill(scene, instance);

  proxy.refuse(false);
  const again = scene.launch(port, env);
  await again.process.ready(again.url);
  await scrapeUntil(t, again.url, (samples) => samples.get('dalga_occurrences_held_back') === 0);
  await dueBy(scene, await ask(scene, again, 'ticker', often()));
  return end(t, scene, again);
}

/** It is killed while a queue refuses what it gets; then that queue is mended. */
export async function killedWithExceptions(t: Test, scene: Scene): Promise<Report> {
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
  const times = await Promise.all(['a', 'b', 'c'].map((job) => ask(scene, instance, job, once(500), full)));
  await ask(scene, instance, 'ticker', often());
  await durable(scene, ({ watermark }) => watermark > Math.max(...times) + 500);
  await kill(scene, instance);

  await channel.deleteQueue(full);
  const mended = await startRecorder(broker.connect, full);
  const report = await end(t, scene, scene.launch(port), mended.arrivals);
  await mended.close({ deleteQueue: true });
  await connection.close();
  return report;
}

/** What it sent is lost with the connection, the broker stays away, and it is killed. */
export async function killedWhileTheBrokerIsAway(t: Test, scene: Scene): Promise<Report> {
  const proxy = await startProxy(scene.settings.rabbitmq);
  t.teardown(() => proxy.close());
  const port = await freePort();
  const env = { DALGA_RABBITMQ_PORT: String(proxy.port) };
  const instance = scene.launch(port, env);
  await instance.process.ready(instance.url);
  await ask(scene, instance, 'ticker', often(600));
  proxy.holdClient(true);
  const time = await ask(scene, instance, 'unconfirmed', once(300));
  await scrapeUntil(t, instance.url, (samples) => samples.get('dalga_messages_dispatched_total')! > 0);
  proxy.refuse(true);
  proxy.cut();
  proxy.holdClient(false);
  const away = (samples: ReadonlyMap<string, number>) =>
    samples.get('dalga_connections{server="rabbitmq"}') === 0;
  await scrapeUntil(t, instance.url, away);
  // A checkpoint was written since.
  const { renewals } = await readDurableState(scene.database);
  await durable(scene, (state) => state.watermark > time && state.renewals > renewals + 2);
  await kill(scene, instance);

  proxy.refuse(false);
  return end(t, scene, scene.launch(port, env));
}

/** The owner is frozen, and goes on when another one owns the table. */
export async function frozen(t: Test, scene: Scene): Promise<Report> {
  const first = scene.launch(await freePort());
  await first.process.ready(first.url);
  await ask(scene, first, 'ticker', often());
  const second = scene.launch(await freePort(), { TEST_BREAKAGE: '' });
  await second.process.logged('standby');
  // The owner looks for standbys three times in a lease.
  await dueBy(scene, Date.now() + 1500);
  const at = Date.now();
  first.process.child.kill('SIGSTOP');
  scene.account.crashed(at - 1000, Date.now());
  await second.process.ready(second.url);
  await dueBy(scene, Date.now() + 1500);
  first.process.child.kill('SIGCONT');
  const thawed = Date.now();
  // The sound one becomes the standby; the broken one publishes what is another's.
  await Promise.race([first.process.logged('standby'), dueBy(scene, thawed + 6000)]);
  await dueBy(scene, thawed + 3000);
  await first.process.kill();
  return end(t, scene, second);
}
