/** What is not used is kept for so long, s: a thread that wakes a little late still reaches the rate. */
const KEPT = 0.02;
/** Of a high rate, so much at a time, s: a batch costs several times what a message does. */
const AT_A_TIME = 0.01;

/** How many catch-up runs may go: a token bucket. */
export class CatchUpRate {
  readonly #rate: number;
  readonly #most: number;
  #tokens = 1;
  /** Monotonic ms up to which tokens were given; null before the first look. */
  #filledAt: number | null = null;

  /** @param rate a second, above 0 */
  constructor(rate: number) {
    this.#rate = rate;
    this.#most = Math.max(1, rate * KEPT);
  }

  /** Whether one may go now. @param monotonic ms */
  has(monotonic: number): boolean {
    const before = this.#filledAt ?? monotonic;
    this.#tokens = Math.min(this.#most, this.#tokens + ((monotonic - before) / 1000) * this.#rate);
    this.#filledAt = monotonic;
    // Of fractions that are added up a little is missing now and then.
    return this.#tokens > 1 - 1e-9;
  }

  /** One goes. */
  use(): void {
    this.#tokens--;
  }

  /** ms until it is worth a look; 0 when one may go now. @param monotonic ms */
  untilNext(monotonic: number): number {
    if (this.has(monotonic)) return 0;
    const wanted = Math.min(this.#most, Math.max(1, this.#rate * AT_A_TIME));
    return ((wanted - this.#tokens) / this.#rate) * 1000;
  }
}
