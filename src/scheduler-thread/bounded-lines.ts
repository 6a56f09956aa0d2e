import type { Clock } from '../clock.ts';

/** The length of a window, ms. */
const WINDOW = 10_000;

/** Lets so many lines of a kind through in each window, and says how many it left out when the next one begins. */
export class BoundedLines {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #onLeftOut: (count: number) => void;
  #windowEnd = 0;
  #lines = 0;
  #leftOut = 0;

  constructor(clock: Clock, limit: number, onLeftOut: (count: number) => void) {
    this.#clock = clock;
    this.#limit = limit;
    this.#onLeftOut = onLeftOut;
  }

  tell(line: () => void): void {
    const now = this.#clock.monotonic();
    if (now >= this.#windowEnd) {
      if (this.#leftOut > 0) this.#onLeftOut(this.#leftOut);
      this.#windowEnd = now + WINDOW;
      this.#lines = 0;
      this.#leftOut = 0;
    }
    if (this.#lines++ < this.#limit) line();
    else this.#leftOut++;
  }
}
