/**
 * The runs that settled in the last seconds, so that a change which planned a job anew a moment ago (its stamp is
 * older than what the scheduler had taken when the change arrived) does not run a time twice: such a time has
 * the same message_id. A ring over typed arrays, newest last.
 */
const SIZE = 1 << 17;
const FIRST_SIZE = 1 << 10;

export class RecentRuns {
  /** Doubles until it is full at its last size; it wraps only there. */
  #size = FIRST_SIZE;
  #ids = new Float64Array(FIRST_SIZE);
  #times = new Float64Array(FIRST_SIZE);
  #settledAt = new Float64Array(FIRST_SIZE);
  #count = 0;
  /** Settled times never fall in the ring, though the clock may step back. */
  #latest = 0;
  /** The times by job id of what settled at or after `since`, when the ring had `count`. */
  #index: { readonly since: number; readonly count: number; readonly times: Map<number, number[]> } | null =
    null;

  add(id: number, time: number, now: number): void {
    if (this.#count === this.#size && this.#size < SIZE) this.#grow();
    const place = this.#count++ & (this.#size - 1);
    this.#ids[place] = id;
    this.#times[place] = time;
    this.#latest = Math.max(this.#latest, now);
    this.#settledAt[place] = this.#latest;
  }

  /** Adds to `into` the times, at or after `since`, at which the job has run. All in Unix ms. */
  collect(id: number, since: number, into: Set<number>): void {
    for (const time of this.#indexFrom(since).get(id) ?? []) if (time >= since) into.add(time);
  }

  /** One pass serves all changes of a batch, however many they are and however long ago their stamp was given. */
  #indexFrom(since: number): ReadonlyMap<number, number[]> {
    const index = this.#index;
    if (index !== null && index.count === this.#count && index.since <= since) return index.times;
    const times = new Map<number, number[]>();
    const oldest = Math.max(0, this.#count - this.#size);
    for (let entry = this.#count - 1; entry >= oldest; entry--) {
      const place = entry & (this.#size - 1);
      // Nothing runs before its time, so what settled before `since` has a time before it.
      if (this.#settledAt[place]! < since) break;
      const id = this.#ids[place]!;
      const known = times.get(id);
      if (known === undefined) times.set(id, [this.#times[place]!]);
      else known.push(this.#times[place]!);
    }
    this.#index = { since, count: this.#count, times };
    return times;
  }

  #grow(): void {
    this.#size *= 2;
    this.#ids = grown(this.#ids, this.#size);
    this.#times = grown(this.#times, this.#size);
    this.#settledAt = grown(this.#settledAt, this.#size);
  }
}

function grown(values: Float64Array, size: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(size);
  larger.set(values);
  return larger;
}
