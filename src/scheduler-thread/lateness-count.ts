import { LATENESS_BOUNDS, type Lateness } from '../protocol/lateness.ts';
import { LatenessWindow } from './lateness-window.ts';

/** Counts how late messages were written. Every message comes by here, so nothing is allocated. */
export class LatenessCount {
  readonly #counts = new Float64Array(LATENESS_BOUNDS.length + 1);
  #sum = 0;
  /** Those of the last minutes. */
  readonly window = new LatenessWindow();

  /**
   * @param times the scheduled times of a batch, Unix ms
   * @param writtenAt for each the time of its write, Unix ms; 0 where it was never written
   * @param monotonic ms
   */
  note(times: Float64Array, writtenAt: Float64Array, monotonic: number): void {
    for (let position = 0; position < writtenAt.length; position++) {
      const written = writtenAt[position]!;
      if (written === 0) continue;
      // The two threads' clocks are slewed one after the other: a sum must not fall for that.
      const late = Math.max(written - times[position]!, 0);
      let bucket = 0;
      // Most are in the first few buckets, so that nothing is gained by a binary search.
      while (bucket < LATENESS_BOUNDS.length && late > LATENESS_BOUNDS[bucket]!) bucket++;
      this.window.note(late, monotonic);
      this.#counts[bucket]!++;
      this.#sum += late;
    }
  }

  /** A copy. */
  read(): Lateness {
    return { counts: this.#counts.slice(), sum: this.#sum };
  }
}
