import type { PriorityQueue } from './priority-queue.ts';

/** A number above this one is not counted anew at each report, but once in so many ms. */
const CHEAP = 1000;
const PAUSE = 1000;

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
    if (this.#count > CHEAP && monotonic < this.#countedAt + PAUSE) return this.#count;
    this.#count = queue.countUntil(now);
    this.#countedAt = monotonic;
    return this.#count;
  }
}
