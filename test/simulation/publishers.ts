import {
  Outcome,
  type OutcomeCode,
  type PublishAnswer,
  type PublishBatch,
  type PublisherReport,
} from '../../src/protocol/scheduler-publisher.ts';
import { isTaken } from '../../src/scheduler-thread/occurrences.ts';
import type { Publishers } from '../../src/scheduler-thread/service.ts';
import type { Attempt } from '../oracle/oracle.ts';
import type { BrokerServer } from './broker.ts';
import type { Link } from './link.ts';
import { PublisherThread } from './publisher-thread.ts';
import type { Scope } from './scope.ts';

/** What the publishers tell the scheduler. */
export type Hearer = {
  hear(report: PublisherReport): void;
  loseThread(threadId: number, error: unknown): void;
};

export type PublishersOptions = {
  readonly scope: Scope;
  readonly broker: BrokerServer;
  readonly link: Link;
  readonly threads: number;
  readonly hearer: Hearer;
  /** The scheduler's clock, Unix ms. */
  readonly now: () => number;
};

/** A batch with a thread. */
export type Run = {
  readonly batch: PublishBatch;
  readonly outcomes: Uint8Array;
  readonly writtenAt: Float64Array;
  readonly attempts: readonly Attempt[];
  answered: boolean;
  pending: number;
  written: boolean;
  readonly answer: (answer: PublishAnswer) => void;
};

/** Publisher threads that write to the simulated broker. */
export class SimulatedPublishers implements Publishers {
  readonly options: PublishersOptions;
  readonly #threads: PublisherThread[] = [];
  static #ids = 0;
  #next = 0;
  #closed = false;
  readonly #lastAt = { answers: 0, reports: 0 };

  /** So that thread ids are the same in every run. */
  static reset(): void {
    SimulatedPublishers.#ids = 0;
  }

  constructor(options: PublishersOptions) {
    this.options = options;
    for (let count = 0; count < options.threads; count++) this.#start();
  }

  publish(batch: PublishBatch): Promise<PublishAnswer> {
    const { scope, now, broker } = this.options;
    const sent = { at: scope.world.unix(), clock: now() };
    const thread = this.#threads[this.#next++ % this.#threads.length]!;
    return new Promise((resolve) => {
      const run: Run = {
        batch,
        outcomes: new Uint8Array(batch.count).fill(Outcome.unsent),
        writtenAt: new Float64Array(batch.count),
        attempts: Array.from({ length: batch.count }, (_, position) =>
          broker.describe(batch, position, sent),
        ),
        ...{ answered: false, pending: 0, written: false },
        answer: (answer) =>
          this.toScheduler('answers', () => {
            for (const [position, outcome] of answer.outcomes.entries())
              this.note(run.attempts[position], outcome);
            resolve(answer);
          }),
      };
      thread.take(run, this.#closed);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await new Promise<void>((resolve) => this.options.scope.after(1, resolve));
  }

  /** A thread ends by a fault, and another one takes its place. */
  crashThread(): void {
    const { scope } = this.options;
    const place = Math.floor(scope.world.random() * this.#threads.length);
    const thread = this.#threads[place]!;
    const lost = thread.crash();
    this.#threads.splice(place, 1);
    this.#lastAt.reports = Math.max(this.#lastAt.reports, this.#lastAt.answers);
    this.toScheduler('reports', () => {
      for (const attempt of lost) this.note(attempt, Outcome.lost);
      this.options.hearer.loseThread(thread.id, new Error('the thread has ended'));
    });
    this.#start();
  }

  /** Something reaches the scheduler thread; answers and reports each keep their order. */
  toScheduler(way: 'answers' | 'reports', deliver: () => void): void {
    const { scope } = this.options;
    const { now } = scope.world;
    this.#lastAt[way] = Math.max(this.#lastAt[way], now + scope.world.between(0.05, 0.8));
    scope.after(this.#lastAt[way] - now, deliver);
  }

  /** The scheduler learns what became of a message. */
  note(attempt: Attempt | null | undefined, outcome: number): void {
    if (!attempt || outcome === Outcome.pending) return;
    const at = this.options.scope.world.unix();
    if (isTaken(outcome as OutcomeCode)) attempt.confirmedAt = at;
    else attempt.failed ??= { at, clock: this.options.now() };
  }

  #start(): void {
    this.#threads.push(new PublisherThread(++SimulatedPublishers.#ids, this));
  }
}
