import {
  Outcome,
  type OutcomeCode,
  type PublishAnswer,
  type PublishBatch,
} from '../protocol/scheduler-publisher.ts';
import type { LateOutcomes } from './late-outcomes.ts';

/** Messages on their way, as channels know them: by their positions in a batch. */
export type Sending = {
  readonly batch: PublishBatch;
  /** A view, not a copy. */
  body(position: number): Buffer;
  /** The message is about to be written, at the monotonic time `now` (ms): from here on it has an outcome. */
  write(position: number, now: number): void;
  /** The outcome of a message that was written. */
  settle(position: number, outcome: OutcomeCode): void;
  /** It was not written after all. */
  takeBack(position: number, outcome: OutcomeCode): void;
};

/** Takes what the broker has given back, and settles it by `finish`. */
export type TakeReturned = (run: BatchRun, position: number) => void;

/** A batch on its way: what became of each of its messages so far. */
export class BatchRun implements Sending {
  readonly batch: PublishBatch;
  readonly #bodies: Buffer;
  readonly #outcomes: Uint8Array;
  readonly #writtenAt: Float64Array;
  readonly #late: LateOutcomes;
  readonly #takeReturned: TakeReturned | null;
  /** Written, and without an outcome. */
  #pending = 0;
  #answered = false;
  #onSettled: (() => void) | null = null;

  constructor(batch: PublishBatch, late: LateOutcomes, takeReturned: TakeReturned | null = null) {
    this.batch = batch;
    this.#late = late;
    this.#takeReturned = takeReturned;
    const { buffer, byteOffset, byteLength } = batch.bodies;
    this.#bodies = Buffer.from(buffer, byteOffset, byteLength);
    this.#outcomes = new Uint8Array(batch.count).fill(Outcome.unsent);
    this.#writtenAt = new Float64Array(batch.count);
  }

  body(position: number): Buffer {
    const { bodyOffsets } = this.batch;
    return this.#bodies.subarray(bodyOffsets[position], bodyOffsets[position + 1]);
  }

  write(position: number, now: number): void {
    this.#outcomes[position] = Outcome.pending;
    this.#writtenAt[position] = now + this.batch.clockOffset;
    this.#pending++;
  }

  settle(position: number, outcome: OutcomeCode): void {
    if (outcome === Outcome.returned && this.#takeReturned !== null) this.#takeReturned(this, position);
    else this.finish(position, outcome);
  }

  /** The outcome of a message, whatever it was given back for. */
  finish(position: number, outcome: OutcomeCode): void {
    if (this.#answered) {
      this.#late.add(this.batch.number, position, outcome);
      return;
    }
    this.#outcomes[position] = outcome;
    if (--this.#pending === 0) this.#onSettled?.();
  }

  takeBack(position: number, outcome: OutcomeCode): void {
    this.#writtenAt[position] = 0;
    this.settle(position, outcome);
  }

  /** Resolves once all that was written has its outcome, at the latest after `patience` ms. */
  settled(patience: number): Promise<void> {
    if (this.#pending === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, patience);
      this.#onSettled = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Outcomes that come after this go out as late ones. */
  answer(threadId: number): PublishAnswer {
    this.#answered = true;
    this.#onSettled = null;
    return { threadId, outcomes: this.#outcomes, writtenAt: this.#writtenAt };
  }
}
