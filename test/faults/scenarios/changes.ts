import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import { startProxy } from '../../helpers/proxy.ts';
import { freePort, type Scene } from '../../helpers/scene.ts';
import type { Report } from '../../oracle/oracle.ts';
import { ask, dueBy, durable, end, kill, often, once } from './scenario.ts';

/** It is killed while the scheduler has not taken a change in, and the time of that has come. */
export async function killedAfterAChange(t: Test, scene: Scene): Promise<Report> {
  const port = await freePort();
  // The next checkpoint comes with the next renewal, a fifth of the lease later: after its time, and within the hold.
  const instance = scene.launch(port, { TEST_HOLD: 'changes', DALGA_LEASE: '5s' });
  await instance.process.ready(instance.url);
  const time = await ask(scene, instance, 'changed', once(300));
  // The broken one writes a watermark above it; the sound one only when it has run.
  await durable(scene, ({ watermark }) => watermark > time);
  await kill(scene, instance);
  const again = scene.launch(port);
  await again.process.ready(again.url);
  await dueBy(scene, await ask(scene, again, 'ticker', often()));
  return end(t, scene, again);
}

/** It is killed as soon as a change is answered. */
export async function killedAfterAnAnswer(t: Test, scene: Scene): Promise<Report> {
  const port = await freePort();
  // The server ends a session that is silent for half of the lease.
  const instance = scene.launch(port, { TEST_HOLD: 'commit', DALGA_LEASE: '20s' });
  await instance.process.ready(instance.url);
  // Not before it is killed, on a machine that stalls.
  const time = await ask(scene, instance, 'answered', once(2500));
  await kill(scene, instance);
  const again = scene.launch(port);
  await again.process.ready(again.url);
  await dueBy(scene, Math.max(time, await ask(scene, again, 'ticker', often())));
  return end(t, scene, again);
}

/** A COMMIT arrives, and its answer does not. */
export async function lostCommit(t: Test, scene: Scene): Promise<Report> {
  const proxy = await startProxy(scene.settings.mysql);
  t.teardown(() => proxy.close());
  const instance = scene.launch(await freePort(), { DALGA_MYSQL_PORT: String(proxy.port) });
  await instance.process.ready(instance.url);
  await ask(scene, instance, 'ticker', often());
  let wrote = false;
  proxy.listen((from, data) => {
    if (from !== 'client') return;
    wrote ||= data.includes('INSERT INTO');
    if (wrote && data.includes('COMMIT')) proxy.holdServer(true);
  });
  const asked = ask(scene, instance, 'uncertain', once(2500));
  while (!(await isStored(scene, 'uncertain'))) await delay(20);
  proxy.listen(null);
  proxy.cut();
  proxy.holdServer(false);
  await dueBy(scene, (await asked) + 500);
  return end(t, scene, instance);
}

async function isStored({ database }: Scene, job: string): Promise<boolean> {
  const [rows] = await database.query('SELECT id FROM dalga WHERE job = ?', [job]);
  return (rows as unknown[]).length > 0;
}
