import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from 'mysql2/promise';
import type { Test } from 'tap';
import { freePorts } from '../../src/quickstart/free-port.ts';
import type { OracleOptions, Report } from '../oracle/oracle.ts';
import { Account } from './account.ts';
import { scrape, scrapeBalanced } from './balance.ts';
import { DalgaProcess, environment, type Settings } from './dalga-process.ts';
import { readDurableState } from './durable-state.ts';
import { type Arrival, type Recorder, startRecorder } from './recorder.ts';
import { type SeedJob, seedJobs } from './seed-jobs.ts';
import { testMysql, testRabbitmq } from './servers.ts';

/** A table of its own, a queue, what came to it, and the oracle's account of both. */
export type Scene = {
  readonly settings: Settings;
  readonly queue: string;
  readonly recorder: Recorder;
  readonly account: Account;
  /** To the database of the table. */
  readonly database: Connection;
  /** Puts jobs into the table, before anything owns it; they owe nothing from before now. */
  seed(jobs: readonly SeedJob[]): Promise<void>;
  /** A process that ends with the test. @param env beside the settings' */
  launch(port: number, env?: Readonly<Record<string, string>>): Launched;
};

/** A process that was started, and where its API is or will be. */
export type Launched = {
  readonly process: DalgaProcess;
  readonly url: string;
  readonly launchedAt: number;
};

export async function openScene(
  t: Test,
  options: {
    readonly env?: Readonly<Record<string, string>>;
    /** A compiled program that composes Dalga with a part that fails. */
    readonly program?: string;
    readonly oracle?: Partial<OracleOptions>;
  } = {},
): Promise<Scene> {
  const mysql = await testMysql();
  t.teardown(mysql.close);
  const broker = await testRabbitmq();
  const queue = broker.name('fault');
  const recorder = await startRecorder(broker.connect, queue);
  const database = await mysql.connect();
  const launched = new Set<DalgaProcess>();
  t.teardown(async () => {
    await Promise.all([...launched].map((one) => one.kill()));
    await recorder.close({ deleteQueue: true });
    await broker.close();
    await database.end();
  });
  const settings: Settings = {
    mysql: { ...mysql, table: 'dalga' },
    rabbitmq: broker,
    env: options.env ?? {},
    ...(options.program === undefined ? {} : { program: options.program }),
  };
  const account = new Account(options.oracle);
  return {
    ...{ settings, queue, recorder, account, database },
    async seed(jobs) {
      const since = Date.now();
      await seedJobs(settings.mysql, queue, jobs, since);
      account.seeded(jobs, since);
    },
    launch(port, env = {}) {
      const whole = { ...environment(settings, port), ...env };
      const launchedAt = Date.now();
      const process = new DalgaProcess(whole, settings.args, settings.program);
      launched.add(process);
      void process.exited.then(() => launched.delete(process));
      return { process, url: `http://127.0.0.1:${port}`, launchedAt };
    },
  };
}

export async function freePort(): Promise<number> {
  return (await freePorts(1))[0]!;
}

/** How long an instance may take to do what is due before it is stopped all the same, ms. */
const CATCH_UP = 20_000;

/** Whether the instance has come to have nothing that waits, in time: a loaded machine may never. */
export async function isQuiet(url: string): Promise<boolean> {
  const until = Date.now() + CATCH_UP;
  while (Date.now() < until) {
    const { samples } = await scrape(url);
    const waiting = samples.get('dalga_jobs_due')! + samples.get('dalga_occurrences_held_back')!;
    if (samples.get('dalga_ready') === 1 && waiting < 100) return true;
    await delay(50);
  }
  return false;
}

/**
 * Ends a scene: a clean stop, which leaves what is durable as the horizon before which all must have come, and the
 * oracle's judgement of that.
 *
 * @param others what came to other queues
 */
export async function closeScene(
  t: Test,
  scene: Scene,
  { process, url }: Launched,
  others: readonly Arrival[] = [],
): Promise<Report> {
  const quiet = await isQuiet(url);
  await scrapeBalanced(t, url);
  const code = await process.stop();
  // Three: more was due than the list of exceptions holds.
  t.ok(code === 0 || (code === 3 && !quiet), `a clean stop: ${code}`);
  await scene.recorder.drained();
  // What became due while it stopped is listed for the next owner.
  const { watermark, exceptions } = await readDurableState(scene.database);
  const times = [...exceptions].map((name) => Number.parseInt(name.split('.')[1]!, 36));
  return scene.account.judge([...scene.recorder.arrivals, ...others], Math.min(watermark, ...times));
}
