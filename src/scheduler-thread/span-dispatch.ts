import type { Clock } from '../clock.ts';
import type { JobChange, SpanChange, SpanCounters, SpansProgress } from '../protocol/main-scheduler.ts';
import { Outcome, type OutcomeCode, type PublishBatch } from '../protocol/scheduler-publisher.ts';
import type { BatchTerms } from './batch-builder.ts';
import { BatchesOut } from './batches-out.ts';
import type { Occurrences } from './occurrences.ts';
import type { OpenSpans } from './open-spans.ts';
import type { ReturnedMessage } from './return-log.ts';
import { buildSpanBatch, type SpanMessage } from './span-batch.ts';
import { SpanRunner, type SpanRunnerOptions } from './span-runner.ts';

export type SpanDispatchOptions = SpanRunnerOptions & {
  readonly clock: Clock;
  readonly occurrences: Occurrences;
  readonly spans: OpenSpans;
  /** Batches that the publishers take at a time. */
  readonly batchesAtOnce: number;
  /** Whether one more batch may be handed out now. */
  readonly mayDispatch: () => boolean;
  /** The terms of the next batch. */
  readonly terms: () => BatchTerms;
  /** Hands a batch to a publisher, and settles what it answers; resolves once it has answered. */
  readonly publish: (batch: PublishBatch, out: BatchesOut<SpanMessage | null>) => Promise<unknown>;
  /** A batch was answered: there is room for another one. */
  readonly wake: () => void;
  readonly onReturned: (message: ReturnedMessage) => void;
};

/** Spans may have this share of the batches that the publishers take at a time. */
const SHARE = 1 / 2;

/** Runs by hand and backfills, from a change to the last confirm: in batches of their own, beside those of the flights. */
export class SpanDispatch {
  /** What publishers have. */
  readonly out = new BatchesOut<SpanMessage | null>(null);
  readonly #options: SpanDispatchOptions;
  readonly #runner: SpanRunner;
  #answersOpen = 0;

  constructor(options: SpanDispatchOptions) {
    this.#options = options;
    this.#runner = new SpanRunner(options);
  }

  /** Messages that a publisher has and has not told the end of. */
  get inFlight(): number {
    return this.#runner.inFlight;
  }

  apply(change: SpanChange): void {
    this.#options.spans.apply(change);
  }

  /** A change of a job has been taken in: its spans may end with it. */
  jobChanged(change: JobChange): void {
    if (change.op === 'remove') this.#options.spans.jobRemoved(change.id);
  }

  finishLoad(): void {
    this.#options.spans.finishLoad();
  }

  /** What has changed since the last call. */
  takeProgress(): SpansProgress {
    return this.#options.spans.takeProgress();
  }

  counters(): SpanCounters {
    return this.#runner.counters();
  }

  /** ms until it is worth a look. */
  untilNext(monotonic: number): number {
    return this.#runner.untilNext(monotonic);
  }

  /** Runs, for which somebody waits. */
  dispatchRuns(): void {
    this.#dispatch(false);
  }

  /** All: for when nothing else is due. */
  dispatchAll(): void {
    if (this.#dispatch(true)) this.#runner.pause(this.#options.clock.monotonic());
  }

  /** The outcome of a message that was out. */
  settle(message: SpanMessage, outcome: OutcomeCode): void {
    const { clock, onReturned } = this.#options;
    if (outcome === Outcome.returned) onReturned(this.#runner.describeReturned(message));
    this.#runner.settle(message, outcome, clock.now(), clock.monotonic());
  }

  /** @returns whether any went */
  #dispatch(backfills: boolean): boolean {
    const { clock, batchesAtOnce, mayDispatch } = this.#options;
    const most = Math.max(1, batchesAtOnce * SHARE);
    let any = false;
    while (mayDispatch() && this.#answersOpen < most) {
      const taken = this.#runner.take(clock.now(), clock.monotonic(), backfills);
      if (taken.length === 0) break;
      any = true;
      void this.#send(taken);
    }
    return any;
  }

  async #send(taken: readonly SpanMessage[]): Promise<void> {
    const { occurrences, terms, publish, wake } = this.#options;
    const batch = buildSpanBatch(taken, occurrences.arena, terms());
    this.out.add(batch.number, taken);
    this.#answersOpen++;
    await publish(batch, this.out);
    this.#answersOpen--;
    wake();
  }
}
