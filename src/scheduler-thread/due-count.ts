import type { PriorityQueue } from './priority-queue.ts';

/** A number above this one is not counted anew at each report, but once in so many ms, and no more than so many a second. */
const CHEAP = 1000;
const PAUSE = 1000;
const COUNTED_A_SECOND = 100_000;

/**
 * How many jobs are due and not taken yet. Counting takes as long as there are many, and in an outage that is
 * every job.
 */
export class DueCount {
  #count = 0;
  /** Monotonic ms. */
  #countedAt = Number.NEGATIVE_INFINITY;

  /** @param now Unix ms @param monotonic ms */
  read(queue: PriorityQueue, now: number, monotonic: number): number {
    const pause = Math.max(PAUSE, (this.#count / COUNTED_A_SECOND) * 1000);
    const isKept = this.#count > CHEAP && monotonic < this.#countedAt + pause;
    if (isKept && queue.firstTime <= now) return this.#count;
    this.#count = queue.countUntil(now);
    this.#countedAt = monotonic;
    return this.#count;
  }
}
