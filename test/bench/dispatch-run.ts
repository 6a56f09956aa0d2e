import { setTimeout as delay } from 'node:timers/promises';
import { type BenchDatabase, freshDatabase } from './database.ts';
import { durablePast } from './durable.ts';
import { cpuSeconds } from './process-stats.ts';
import { type BenchQueue, freshQueue } from './queue.ts';
import type { Bench } from './row.ts';
import { type RunningDalga, runDalga } from './run-dalga.ts';
import { type SeedOptions, seedTable } from './seed-table.ts';
import { writeOut } from './write-out.ts';

/** Each job comes once in a run, whatever the machine; and it is no longer in the queue than this. ms */
const INTERVAL = 3_600_000;
/** How long all may take to be confirmed, ms. */
const PATIENCE = 900_000;
/** What must be left between the end of the load and the first due time, ms. */
const MARGIN = 300;
const ATTEMPTS = 6;

export type Dispatched = {
  /** From the first due time until the last message was confirmed and the watermark past it durable. */
  readonly seconds: number;
  /** s of CPU of Dalga's process in that time. */
  readonly cpu: number;
};

/** Goes on from shortly before the first due time until all is dispatched, when it is told to end. */
export type Meanwhile = (dalga: RunningDalga, queue: string) => Promise<() => Promise<void>>;

/**
 * Jobs that fall due while Dalga runs, again in each round: it is started before their time, has loaded them when it
 * comes, and the time from there is measured. Nobody consumes the queue, so that the broker's time is the publishing.
 */
export class DispatchRun {
  readonly #bench: Bench;
  readonly #spread: number;
  readonly #jobs: number;
  #database!: BenchDatabase;
  #queue!: BenchQueue;
  #from = 0;
  /** How long before the first due time it is started, ms: longer once that was too short. */
  #lead: number;
  /** How long it takes to move all due times, ms: a guess at first, then the last time. */
  #moving: number;

  /** @param spread ms over which the due times lie; 0 for all at the same */
  constructor(bench: Bench, { jobs, spread }: { readonly jobs: number; readonly spread: number }) {
    this.#bench = bench;
    this.#jobs = jobs;
    this.#spread = spread;
    this.#lead = 2500 + jobs / 100;
    this.#moving = jobs / 40;
  }

  async open(): Promise<void> {
    this.#database = await freshDatabase(this.#bench.mysql);
    this.#queue = await freshQueue(this.#bench.rabbitmq);
    this.#from = Date.now();
    await seedTable(this.#database, this.#messages);
    this.#bench.say(`${this.#jobs} jobs are in the table`);
  }

  get database(): BenchDatabase {
    return this.#database;
  }

  /** The messages of a round as a baseline would publish them. */
  get #messages(): SeedOptions {
    return {
      ...{ jobs: this.#jobs, intervalMs: INTERVAL, spreadMs: this.#spread, from: this.#from },
      routingKey: this.#queue.name,
    };
  }

  /** The same messages, in the same empty queue, for a baseline. */
  async baseline<T>(publish: (messages: SeedOptions) => Promise<T>): Promise<T> {
    const result = await publish(this.#messages);
    await this.#expectQueued();
    return result;
  }

  async dalga(meanwhile?: Meanwhile): Promise<Dispatched> {
    for (let attempt = 1; ; attempt++) {
      const dispatched = await this.#once(meanwhile);
      if (dispatched !== null) return dispatched;
      if (attempt === ATTEMPTS) throw new Error('the load takes longer each time');
      this.#bench.say(`the load took longer than expected: again, with ${this.#lead / 1000} s for it`);
    }
  }

  async close(): Promise<void> {
    await this.#queue.remove();
    await this.#database.drop();
  }

  /** Null when the jobs fell due before all were loaded. */
  async #once(meanwhile?: Meanwhile): Promise<Dispatched | null> {
    await this.#fallDueIn(this.#lead);
    const { mysql, rabbitmq } = { mysql: this.#database, rabbitmq: this.#bench.rabbitmq };
    const dalga = await runDalga({ mysql, rabbitmq });
    try {
      const ready = await dalga.ready();
      if (ready > this.#from - MARGIN) {
        this.#lead = 2 * Math.max(this.#lead, ready - dalga.startedAt);
        return null;
      }
      const end = await meanwhile?.(dalga, this.#queue.name);
      await delay(this.#from - Date.now());
      const before = cpuSeconds(dalga.pid);
      const last = this.#from + Math.max(0, this.#spread - 1);
      const at = await durablePast(this.#database, last, PATIENCE, dalga.process.exited);
      const cpu = cpuSeconds(dalga.pid) - before;
      await end?.();
      await this.#expectQueued();
      return { seconds: (at - this.#from) / 1000, cpu };
    } finally {
      await dalga.stop();
      await this.#queue.purge();
    }
  }

  /** Moves all due times, and `since` with them. @param lead ms from now */
  async #fallDueIn(lead: number): Promise<void> {
    const connection = await this.#database.connect();
    const begun = Date.now();
    // A time in between would be rounded in the table, and then be another than ours.
    const from = Math.round(begun + this.#moving + lead);
    const move = async (difference: number): Promise<void> => {
      await connection.query('UPDATE dalga SET first_run = first_run + ?, since = since + ?', [
        difference,
        difference,
      ]);
    };
    await move(from - this.#from);
    await writeOut(connection, this.#jobs);
    this.#from = from;
    this.#moving = Date.now() - begun;
    await connection.end();
  }

  /** The measure counts for something only if every message has come. */
  async #expectQueued(): Promise<void> {
    const queued = await this.#queue.count();
    if (queued !== this.#jobs) throw new Error(`${queued} messages are in the queue for ${this.#jobs} jobs`);
    await this.#queue.purge();
  }
}
