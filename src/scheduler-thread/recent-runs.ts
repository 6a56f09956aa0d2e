/**
 * The runs that settled in the last seconds, so that a change which planned a job anew a moment ago (its stamp is
 * older than what the scheduler had taken when the change arrived) does not run a time twice: such a time has
 * the same message_id. A ring over typed arrays, newest last.
 */
const SIZE = 1 << 17;

export class RecentRuns {
  readonly #ids = new Float64Array(SIZE);
  readonly #times = new Float64Array(SIZE);
  readonly #settledAt = new Float64Array(SIZE);
  #count = 0;

  add(id: number, time: number, now: number): void {
    const place = this.#count++ & (SIZE - 1);
    this.#ids[place] = id;
    this.#times[place] = time;
    this.#settledAt[place] = now;
  }

  /** Adds to `into` the times, at or after `since`, at which the job has run. All in Unix ms. */
  collect(id: number, since: number, into: Set<number>): void {
    const oldest = Math.max(0, this.#count - SIZE);
    for (let index = this.#count - 1; index >= oldest; index--) {
      const place = index & (SIZE - 1);
      // Nothing runs before its time, so what settled before `since` has a time before it.
      if (this.#settledAt[place]! < since) return;
      if (this.#ids[place] === id && this.#times[place]! >= since) into.add(this.#times[place]!);
    }
  }
}
