import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';

/** ms between two lines. */
const PAUSE = 10_000;

/** Tells that catch-up runs wait for their rate, how many, and that all have gone. */
export class CatchUpLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #rate: number;
  #told = false;
  /** Monotonic ms. */
  #toldAt = Number.NEGATIVE_INFINITY;

  /** @param rate a second */
  constructor(log: Log, clock: Clock, rate: number) {
    this.#log = log;
    this.#clock = clock;
    this.#rate = rate;
  }

  /** @param waiting how many wait now */
  note(waiting: number): void {
    const now = this.#clock.monotonic();
    if (waiting === 0) {
      if (this.#told) this.#log.info('no catch-up run waits any more');
      this.#told = false;
      return;
    }
    // The rest of a moment's pause is not worth a line.
    if (now < this.#toldAt + PAUSE) return;
    this.#told = true;
    this.#toldAt = now;
    this.#log.info(
      { waiting, rate: this.#rate },
      `${waiting} catch-up runs wait: DALGA_CATCHUP_RATE lets ${this.#rate} a second go, behind what is due now`,
    );
  }
}
