import type { Test } from 'tap';
import { send } from '../../helpers/api-writers.ts';
import { scrapeUntil } from '../../helpers/balance.ts';
import { startProxy } from '../../helpers/proxy.ts';
import { freePort, type Scene } from '../../helpers/scene.ts';
import type { Report } from '../../oracle/oracle.ts';
import { ask, dueBy, durable, end, kill, often, once } from './scenario.ts';

/** Jobs that run each second are deleted, and the scheduler takes a while to hear of it. */
export async function deleted(t: Test, scene: Scene): Promise<Report> {
  const instance = scene.launch(await freePort(), { TEST_HOLD: 'changesShortly' });
  await instance.process.ready(instance.url);
  await dueBy(scene, await ask(scene, instance, 'ticker', often()));
  // One of them is due in every 40 ms.
  const names = Array.from({ length: 25 }, (_, index) => `d${index}`);
  await Promise.all(names.map((job, index) => ask(scene, instance, job, often(1000 + index * 40))));
  await scene.recorder.arrival(({ job }) => job === names.at(-1));
  await Promise.all(names.map((job) => ask(scene, instance, job, { op: 'delete' })));
  await dueBy(scene, Date.now() + 2500);
  return end(t, scene, instance);
}

/** What it has sent has not arrived when the connection is cut. */
export async function cutWhileUnconfirmed(t: Test, scene: Scene): Promise<Report> {
  const proxy = await startProxy(scene.settings.rabbitmq);
  t.teardown(() => proxy.close());
  const instance = scene.launch(await freePort(), { DALGA_RABBITMQ_PORT: String(proxy.port) });
  await instance.process.ready(instance.url);
  // It opens the channel.
  await dueBy(scene, await ask(scene, instance, 'first', once(300)));
  proxy.holdClient(true);
  const time = await ask(scene, instance, 'unconfirmed', once(300));
  // The publisher has answered, with an outcome that is still to come.
  await scrapeUntil(t, instance.url, (samples) => samples.get('dalga_lateness_seconds_count') === 2);
  proxy.cut();
  proxy.holdClient(false);
  await dueBy(scene, Math.max(time, await ask(scene, instance, 'ticker', often())));
  return end(t, scene, instance);
}

/** A one-off is put again when it has run, and main does not know that yet; then it is killed. */
export async function ranAgain(t: Test, scene: Scene): Promise<Report> {
  const port = await freePort();
  const instance = scene.launch(port, { TEST_HOLD: 'reports' });
  await instance.process.ready(instance.url);
  await ask(scene, instance, 'ticker', often());
  await dueBy(scene, await ask(scene, instance, 'again', once(300)));
  await scene.recorder.arrival(({ job }) => job === 'again');
  // Not before it is killed, on a machine that stalls.
  const time = await ask(scene, instance, 'again', once(6000));
  instance.process.child.kill('SIGUSR2');
  await instance.process.logged('the settled jobs are deleted');
  await kill(scene, instance);
  const again = scene.launch(port);
  await dueBy(scene, time + 500);
  return end(t, scene, again);
}

/** The next owner's clock is behind the last watermark. */
export async function slowClock(t: Test, scene: Scene): Promise<Report> {
  const { queue, account, database } = scene;
  const port = await freePort();
  const instance = scene.launch(port);
  await instance.process.ready(instance.url);
  const time = await ask(scene, instance, 'ticker', often());
  await durable(scene, ({ watermark }) => watermark > time);
  await kill(scene, instance);

  const broken = scene.settings.env?.TEST_BREAKAGE !== '';
  // The sound one has to wait until its clock has come there.
  const again = scene.launch(port, { TEST_CLOCK_OFFSET: broken ? '-50000' : '-3000' });
  await again.process.ready(again.url);
  const past = { op: 'put', intervalMs: null, firstRun: Date.now() - 100_000 } as const;
  t.equal(await send(`${again.url}/jobs/${queue}/past`, past), 'created');
  const [rows] = await database.query('SELECT since, first_run FROM dalga WHERE job = ?', ['past']);
  const [row] = rows as { since: number; first_run: number }[];
  account.seeded([{ job: 'past', intervalMs: null, firstRun: row!.first_run }], row!.since);
  if (!broken) await dueBy(scene, row!.first_run);
  return end(t, scene, again);
}
