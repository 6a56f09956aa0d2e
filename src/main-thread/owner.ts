import type { Clock, Timers } from '../clock.ts';
import type { Config } from '../config.ts';
import { DalgaError, type PlainError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { SchedulerCounters } from '../protocol/main-scheduler.ts';
import type { AnswerTo, Question } from '../protocol/questions.ts';
import type { EventHub } from './events.ts';
import { JobMemory } from './memory.ts';
import type { SchedulerThread, StartScheduler } from './scheduler-client.ts';
import { type CheckpointWriter, createCheckpointWriter } from './store/checkpoint.ts';
import type { Owned } from './store/ownership.ts';
import { SpanPositions } from './store/span-positions.ts';
import { WatermarkGate } from './store/watermark-gate.ts';
import { createWriteCoalescer, type WriteCoalescer } from './store/write-coalescer.ts';

/** Past the time that a stop may take, the scheduler's last report has this long to arrive, ms. */
const LAST_REPORT_GRACE = 500;

/**
 * A checkpoint is made of a report that has an age, and takes a while to be written: with this share of the interval
 * between two of them, what is durable is as a rule no older than the interval.
 */
const CHECKPOINT_SHARE = 0.6;

/** How long the last checkpoint may take when the time to stop has run out, ms. */
const LAST_WRITE = 300;

/** How long the publishers may take to close their connections after the last report, ms. */
const GOODBYE = 500;

export type OwnerOptions = {
  readonly config: Config;
  readonly owned: Owned;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly startScheduler: StartScheduler;
  /** Monotonic ms. */
  readonly trustedUntil: number;
  /** Bytes that jobs may take in memory. */
  readonly memoryLimit: number;
  readonly onFailed: (error: PlainError, startup: boolean) => void;
  /** The scheduler has reported. */
  readonly onCounters: (counters: SchedulerCounters) => void;
  /** So many requests were carried out by one transaction. */
  readonly onBatch: (requests: number) => void;
  /** Where what happens to jobs is told. */
  readonly events?: EventHub | undefined;
};

/**
 * What runs while this instance owns the table: the scheduler thread, the writes, the checkpoints.
 */
export class Owner {
  readonly coalescer: WriteCoalescer;
  readonly #options: OwnerOptions;
  readonly #thread: SchedulerThread;
  readonly #gate: WatermarkGate;
  readonly #spans = new SpanPositions();
  readonly #memory: JobMemory;
  readonly #checkpoints: CheckpointWriter;
  #reportedAt: number;
  #counters: SchedulerCounters | null = null;
  #loaded = false;
  #connected = 0;
  #brokerReason: string | null = 'not connected yet';

  constructor(options: OwnerOptions) {
    const { config, owned, clock, timers, log } = options;
    this.#options = options;
    this.#reportedAt = clock.monotonic();
    this.#memory = new JobMemory(options.memoryLimit);
    this.#gate = new WatermarkGate(
      { watermark: owned.watermark, exceptions: owned.exceptions },
      Math.max(owned.stamp, owned.watermark),
    );
    this.#thread = options.startScheduler(
      {
        config,
        tag: owned.tag,
        watermark: owned.watermark,
        exceptions: owned.exceptions,
        clockOffset: clock.now() - clock.monotonic(),
        trustedUntil: options.trustedUntil,
        memoryLimit: options.memoryLimit,
        spans: owned.spans,
      },
      {
        onStarted: () => this.#thread.client.load(),
        onProgress: (progress) => {
          this.#reportedAt = clock.monotonic();
          this.#counters = progress.counters;
          this.#memory.acknowledged(progress.applied, progress.counters.jobBytes);
          options.onCounters(progress.counters);
          this.coalescer.settled(progress.settledJobs);
          this.#checkpoints.report(progress);
        },
        onLoading: (jobs) => this.#memory.loading(jobs),
        onLoaded: (jobs, duration) => {
          this.#memory.loaded();
          this.#loaded = true;
          log.info(
            { jobs, duration: Math.round(duration) },
            `loaded ${jobs} jobs in ${(duration / 1000).toFixed(1)} s`,
          );
        },
        onBroker: (connected, reason) => {
          this.#connected = connected;
          this.#brokerReason = reason;
        },
        onEvents: ({ events, leftOut }) => options.events?.ran(events, leftOut),
        onFailed: (error, startup) => void this.#fail(error, startup),
      },
      timers,
    );
    this.coalescer = createWriteCoalescer({
      session: owned.session,
      gate: this.#gate,
      table: config.mysql.table,
      clock,
      timers,
      log,
      post: (changes, reply, added) => {
        const number = this.#thread.client.post(changes, reply);
        this.#memory.posted(number, added);
        return number;
      },
      admit: (more, added) => this.#memory.admit(more, added),
      onBatch: options.onBatch,
      events: options.events,
    });
    options.events?.begin((interest) => this.#thread.client.wantEvents(interest));
    this.#checkpoints = createCheckpointWriter({
      session: owned.session,
      gate: this.#gate,
      spans: this.#spans,
      clock,
      timers,
      log,
      interval: config.checkpointInterval * CHECKPOINT_SHARE,
    });
  }

  /** ms since the scheduler thread was last heard of. */
  get silence(): number {
    return this.#options.clock.monotonic() - this.#reportedAt;
  }

  get counters(): SchedulerCounters | null {
    return this.#counters;
  }

  /** Whether the scheduler knows all jobs. */
  get loaded(): boolean {
    return this.#loaded;
  }

  get epoch(): number {
    return this.#options.owned.epoch;
  }

  /** ms from the durable watermark to now. */
  get watermarkAge(): number {
    return Math.max(this.#options.clock.now() - this.#gate.durable.watermark, 0);
  }

  /** What keeps it from being ready. */
  reasons(): Record<string, string> {
    return {
      ...(this.#loaded ? {} : { loading: `${this.#counters?.jobs ?? 0} jobs loaded so far` }),
      ...(this.#connected > 0 ? {} : { rabbitmq: this.#brokerReason ?? 'not connected' }),
    };
  }

  /** Resolves when the scheduler has taken these changes in, after at most `timeout` ms. */
  acknowledged(number: number, timeout: number): Promise<void> {
    return this.#thread.client.acknowledged(number, timeout);
  }

  /** @param timeout ms. @throws DalgaError not_ready when there is no answer, or not all jobs are loaded yet */
  ask<Q extends Question>(question: Q, timeout: number): Promise<AnswerTo<Q>> {
    if (!this.#loaded) return Promise.reject(new DalgaError('not_ready', 'the jobs are still being loaded'));
    return this.#thread.client.ask(question, timeout);
  }

  trust(until: number): void {
    this.#thread.client.trust(until);
  }

  adjustClock(offset: number, stepped: boolean): void {
    this.#thread.client.adjustClock(offset, stepped);
  }

  /**
   * The clean stop: answers the writes that have come, settles what is in flight, writes the last checkpoint and
   * releases the lease.
   *
   * @param deadline monotonic ms
   * @returns whether all was settled or listed
   */
  async close(deadline: number): Promise<boolean> {
    const { clock, timers, log, owned } = this.#options;
    // While MySQL is away what has come cannot be answered well; the publishers need their time too.
    await settledWithin(this.coalescer.stop(), (deadline - clock.monotonic()) / 2, timers);
    const left = Math.max(deadline - clock.monotonic(), 0);
    const stopped = await this.#thread.client.stop(deadline, left + LAST_REPORT_GRACE);
    this.#checkpoints.stop();
    if (stopped !== null) this.#checkpoints.report(stopped.progress);
    // One that is silent may still publish, and must not when the lease is another's.
    else await this.#thread.terminate(0);
    let released = true;
    let complete = true;
    const last = () => {
      const checkpoint = this.#gate.last();
      complete = checkpoint?.complete ?? true;
      return { checkpoint, spans: this.#spans.last() };
    };
    try {
      await owned.session.release(last, Math.max(deadline, clock.monotonic() + LAST_WRITE));
    } catch (error) {
      released = false;
      const reason = error instanceof Error ? error.message : String(error);
      log.error({ reason }, 'the last checkpoint could not be written');
    }
    // The publishers say goodbye to the broker meanwhile.
    if (stopped !== null) await this.#thread.terminate(GOODBYE);
    return released && complete && (stopped?.clean ?? false);
  }

  /** A start that was refused gives the table up, so that another instance, or its own next start, need not wait. */
  async #fail(error: PlainError, startup: boolean): Promise<void> {
    if (startup) {
      await this.#thread.terminate(0);
      await this.#options.owned.session.release(null).catch(() => {});
    }
    this.#options.onFailed(error, startup);
  }

  /** Ends everything at once: another instance owns the table now. */
  async abandon(): Promise<void> {
    this.#checkpoints.stop();
    await Promise.all([
      this.#thread.terminate(0),
      this.#options.owned.session.close(),
      this.coalescer.stop(),
    ]);
  }
}

/** Resolves when the promise does, or after so many ms. */
function settledWithin(promise: Promise<unknown>, ms: number, timers: Timers): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      timers.clear(timer);
      resolve();
    };
    const timer = timers.set(done, ms);
    promise.then(done, done);
  });
}
