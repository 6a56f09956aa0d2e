import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import { type Asked, send } from '../../helpers/api-writers.ts';
import { type DurableState, readDurableState } from '../../helpers/durable-state.ts';
import { closeScene, type Launched, type Scene } from '../../helpers/scene.ts';
import type { Report } from '../../oracle/oracle.ts';

/** A short life of a real process or two, and the oracle's report of it. */
export type Scenario = (t: Test, scene: Scene) => Promise<Report>;

type Put = Exclude<Asked, { op: 'delete' }>;

/** A one-off that is due after `delay` ms. */
export function once(delay: number): Put {
  return { op: 'put', intervalMs: null, firstRun: Date.now() + delay };
}

/** A job that runs each second from after `delay` ms on. */
export function often(delay = 1000): Put {
  return { op: 'put', intervalMs: 1000, firstRun: Date.now() + delay };
}

/** Asks for a change of a job, which must be granted. @returns its first run */
export async function ask(
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

/** kill -9; all that the process has sent may come again. */
export async function kill({ account }: Scene, { process, launchedAt }: Launched): Promise<void> {
  await process.kill();
  account.crashed(launchedAt, Date.now());
}

/** Resolves with a message that is due at `time` or later. */
export async function dueBy({ recorder }: Scene, time: number): Promise<void> {
  await recorder.arrival(({ scheduledAt }) => scheduledAt >= time);
}

/** Resolves when what is durable is as the test wants it. */
export async function durable(scene: Scene, isThere: (state: DurableState) => boolean): Promise<void> {
  while (!isThere(await readDurableState(scene.database))) await delay(20);
}

/** Stops the instance when all is done, and asks the oracle. @param others what came to other queues */
export async function end(
  t: Test,
  scene: Scene,
  instance: Launched,
  others: Scene['recorder']['arrivals'] = [],
): Promise<Report> {
  await instance.process.ready(instance.url);
  // How late a loaded machine is proves nothing here.
  scene.account.oracle.trouble({ from: 0, to: Number.POSITIVE_INFINITY });
  return closeScene(t, scene, instance, others);
}
