import type { Test } from 'tap';
import { freePort, type Scene } from '../../helpers/scene.ts';
import { steadyLoad } from '../../helpers/steady-load.ts';
import type { Report } from '../../oracle/oracle.ts';
import { ask, dueBy, durable, end, kill, often } from './scenario.ts';

/** It is killed while the table loads, and jobs have become due that it has not come to. */
export async function killedWhileItLoads(t: Test, scene: Scene): Promise<Report> {
  const port = await freePort();
  const from = Date.now() + 500;
  await scene.seed(steadyLoad({ rate: 100, from, duration: 30_000, seed: 1 }));
  const instance = scene.launch(port, { TEST_HOLD: 'load' });
  // The broken one writes such a watermark while it loads, the sound one afterwards.
  await durable(scene, ({ watermark }) => watermark > from + 500);
  await kill(scene, instance);
  return end(t, scene, scene.launch(port));
}

/** Jobs are changed and deleted between the snapshot and the coming of its rows. */
export async function changedWhileItLoads(t: Test, scene: Scene): Promise<Report> {
  const firstRun = Date.now() + 4000;
  await scene.seed([
    { job: 'changed', intervalMs: 60_000, firstRun },
    { job: 'removed', intervalMs: 1000, firstRun },
    { job: 'ticker', intervalMs: 1000, firstRun },
  ]);
  const instance = scene.launch(await freePort(), { TEST_HOLD: 'load' });
  await instance.process.logged('the snapshot was read');
  const time = await ask(scene, instance, 'changed', { ...often(4000), op: 'post', intervalMs: 60_000 });
  await ask(scene, instance, 'removed', { op: 'delete' });
  await instance.process.ready(instance.url);
  await dueBy(scene, time + 2000);
  return end(t, scene, instance);
}
