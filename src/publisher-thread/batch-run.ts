import {
  Outcome,
  type OutcomeCode,
  type PublishAnswer,
  type PublishBatch,
} from '../protocol/scheduler-publisher.ts';
import type { LateOutcomes } from './late-outcomes.ts';

/** A batch on its way: what became of each of its messages so far. */
export class BatchRun {
  readonly batch: PublishBatch;
  readonly #bodies: Buffer;
  readonly #outcomes: Uint8Array;
  readonly #writtenAt: Float64Array;
  readonly #late: LateOutcomes;
  /** Written, and without an outcome. */
  #pending = 0;
  #answered = false;
  #onSettled: (() => void) | null = null;

  constructor(batch: PublishBatch, late: LateOutcomes) {
    this.batch = batch;
    this.#late = late;
    const { buffer, byteOffset, byteLength } = batch.bodies;
    this.#bodies = Buffer.from(buffer, byteOffset, byteLength);
    this.#outcomes = new Uint8Array(batch.count).fill(Outcome.unsent);
    this.#writtenAt = new Float64Array(batch.count);
  }

  /** A view, not a copy. */
  body(position: number): Buffer {
    const { bodyOffsets } = this.batch;
    return this.#bodies.subarray(bodyOffsets[position], bodyOffsets[position + 1]);
  }

  /** The message is about to be written, at the monotonic time `now` (ms): from here on it has an outcome. */
  write(position: number, now: number): void {
    this.#outcomes[position] = Outcome.pending;
    this.#writtenAt[position] = now + this.batch.clockOffset;
    this.#pending++;
  }

  /** The outcome of a message that was written. */
  settle(position: number, outcome: OutcomeCode): void {
    if (this.#answered) {
      this.#late.add(this.batch.number, position, outcome);
      return;
    }
    this.#outcomes[position] = outcome;
    if (--this.#pending === 0) this.#onSettled?.();
  }

  /** It was not written after all. */
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
