import type { Timetable } from './times.ts';

/** How many answers of each kind are kept. */
const SIZE = 4;

/**
 * A timetable that many jobs share, and its latest answers: what was the first time at or after `a` is so for all up to
 * itself. At a start 1,000,000 jobs ask for the same, one after another.
 */
export class Remembered implements Timetable {
  readonly #times: Timetable;
  /** Pairs: where the question began, and the answer. */
  readonly #firsts = new Float64Array(2 * SIZE).fill(Number.NaN);
  readonly #lasts = new Float64Array(2 * SIZE).fill(Number.NaN);
  #first = 0;
  #last = 0;

  constructor(times: Timetable) {
    this.#times = times;
  }

  firstAtOrAfter(time: number): number {
    for (let index = 0; index < 2 * SIZE; index += 2) {
      const answer = this.#firsts[index + 1]!;
      if (time >= this.#firsts[index]! && time <= answer) return answer;
    }
    const answer = this.#times.firstAtOrAfter(time);
    this.#first = remember(this.#firsts, this.#first, time, answer);
    return answer;
  }

  lastAtOrBefore(time: number): number {
    for (let index = 0; index < 2 * SIZE; index += 2) {
      const answer = this.#lasts[index + 1]!;
      if (time <= this.#lasts[index]! && time >= answer) return answer;
    }
    const answer = this.#times.lastAtOrBefore(time);
    this.#last = remember(this.#lasts, this.#last, time, answer);
    return answer;
  }

  count(from: number, until: number, limit: number): number {
    return this.#times.count(from, until, limit);
  }
}

/** @returns where to write next */
function remember(pairs: Float64Array, position: number, time: number, answer: number): number {
  pairs[position] = time;
  pairs[position + 1] = answer;
  return (position + 2) % pairs.length;
}
