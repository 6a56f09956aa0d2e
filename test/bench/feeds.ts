import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  type BenchDatabase,
  cpuSeconds,
  freshDatabase,
  freshQueue,
  type LeanConsumer,
  type RunningDalga,
  runDalga,
  seedTable,
  startLeanConsumer,
} from './harness.ts';
import type { Readings } from './programs/gauge.ts';
import type { Bench } from './row.ts';
import { rowsWritten } from './rows-written.ts';
import { scaled, scaledTime } from './scale.ts';

/** Dalga with a gauge in each thread. */
const PROGRAM = fileURLToPath(new URL('./programs/measured-dalga.js', import.meta.url));

/** A million feeds, each read every five minutes at a phase of its own. */
const JOBS = 1_000_000;
export const INTERVAL = 300_000;

/** How long the run goes on before anything is measured, ms. */
const SETTLE = 15_000;

/** Of the shortest trial, ms: some messages are due. */
export const LEAST_DURATION = 2000;

/** Of the messages that are due in a period: with less something is wrong. A trial may have too few to say so. */
const LEAST_SHARE = 0.5;
const LEAST_DUE = 100;

/** A job is in the table after at most this long, ms. */
const SEED_TIME = 0.05;

/** The feeds case as it runs. */
export type Feeds = {
  readonly dalga: RunningDalga;
  readonly queue: string;
  readonly jobs: number;
  /** Lets it go on for so long (ms), and tells of that time. */
  measure(duration: number): Promise<Period>;
};

/** What was seen in a period. */
export type Period = {
  readonly seconds: number;
  /** Cores that Dalga's process took. */
  readonly cpu: number;
  /** Rows that MySQL wrote a second. */
  readonly rows: number;
  readonly received: number;
  readonly delay: Awaited<ReturnType<LeanConsumer['report']>>['delay'];
  readonly threads: readonly Readings[];
};

export type FeedsOptions = {
  /** Whether each thread's event loop is watched too, which takes a timer each ms. */
  readonly loopDelay: boolean;
};

/**
 * Runs the feeds case: 1,000,000 jobs at 300 s, their phases even, with a consumer attached. `work` is called once it
 * runs evenly.
 */
export async function runFeeds<T>(
  bench: Bench,
  { loopDelay }: FeedsOptions,
  work: (feeds: Feeds) => Promise<T>,
): Promise<T> {
  const { rabbitmq, say } = bench;
  const jobs = scaled(bench, JOBS);
  const mysql = await freshDatabase(bench.mysql);
  const queue = await freshQueue(rabbitmq);
  let dalga: RunningDalga | null = null;
  let consumer: LeanConsumer | null = null;
  try {
    say(`filling a table with ${jobs} jobs`);
    // Nothing is due before all is there, so that the run does not begin with what was missed.
    const from = Date.now() + 500 + jobs * SEED_TIME;
    await seedTable(mysql, { jobs, intervalMs: INTERVAL, from, routingKey: queue.name });
    consumer = await startLeanConsumer(rabbitmq, queue.name);
    const env = { BENCH_LOOP_DELAY: loopDelay ? '1' : '0' };
    dalga = await runDalga({ mysql, rabbitmq, env, program: PROGRAM });
    const ready = await dalga.ready();
    await delay(Math.max(from - ready, 0) + scaledTime(bench, SETTLE));
    const result = await work(feedsOf({ dalga, consumer, mysql, queue: queue.name, jobs }));
    await dalga.stop();
    return result;
  } finally {
    await dalga?.kill();
    await consumer?.close();
    await queue.remove();
    await mysql.drop();
  }
}

type Parts = Pick<Feeds, 'dalga' | 'queue' | 'jobs'> & {
  readonly consumer: LeanConsumer;
  readonly mysql: BenchDatabase;
};

function feedsOf({ dalga, consumer, mysql, queue, jobs }: Parts): Feeds {
  let asked = 0;
  /** The readings of all threads since the last time. */
  const read = async (): Promise<readonly Readings[]> => {
    asked++;
    dalga.process.child.kill('SIGUSR2');
    const { threads } = await dalga.process.logged(`bench readings ${asked}.`);
    return threads as readonly Readings[];
  };
  return {
    ...{ dalga, queue, jobs },
    async measure(duration) {
      const rowsBefore = await rowsWritten(mysql);
      await Promise.all([read(), consumer.reset()]);
      const cpuBefore = cpuSeconds(dalga.pid);
      const begun = performance.now();
      await delay(duration);
      const cpu = cpuSeconds(dalga.pid) - cpuBefore;
      const seconds = (performance.now() - begun) / 1000;
      const [threads, { received, delay: late }] = await Promise.all([read(), consumer.reset()]);
      const rows = (await rowsWritten(mysql)) - rowsBefore;
      const due = (jobs / INTERVAL) * duration;
      if (due >= LEAST_DUE && received < due * LEAST_SHARE)
        throw new Error(`of about ${Math.round(due)} messages ${received} came`);
      return { seconds, cpu: cpu / seconds, rows: rows / seconds, received, delay: late, threads };
    },
  };
}
