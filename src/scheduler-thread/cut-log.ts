import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';

/** ms between two lines. */
const PAUSE = 10_000;

/** Tells of the missed runs that `misfire=all` would have made up for, and that were dropped. */
export class CutLog {
  readonly #log: Log;
  readonly #clock: Clock;
  #told = 0;
  /** Monotonic ms. */
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** @param cut how many there were so far */
  note(cut: number): void {
    const now = this.#clock.monotonic();
    if (cut === this.#told || now < this.#toldAt + PAUSE) return;
    const count = cut - this.#told;
    this.#told = cut;
    this.#toldAt = now;
    this.#log.warn(
      { runs: count },
      `${count} missed runs of jobs with misfire=all were dropped: they are older than misfire_age, or more than DALGA_MISFIRE_BACKLOG allows`,
    );
  }
}
