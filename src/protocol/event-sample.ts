import type { LeftOut } from './events.ts';

/** Events of one type that are told in a second, and at once after a pause. */
export const EVENTS_PER_SECOND = 100;

/**
 * Lets so many events of each type through, evenly (a token bucket), and counts what it leaves out. Of a thousand a
 * second it takes each tenth, and not the first hundred.
 */
export class EventSample<Type extends string> {
  readonly #rate: number;
  readonly #buckets = new Map<Type, { tokens: number; at: number }>();
  readonly #leftOut = new Map<Type, Map<string | null, number>>();

  constructor(rate = EVENTS_PER_SECOND) {
    this.#rate = rate;
  }

  /** Whether one more of the type is to be told. @param monotonic ms */
  take(type: Type, monotonic: number): boolean {
    let bucket = this.#buckets.get(type);
    if (bucket === undefined) {
      bucket = { tokens: this.#rate, at: monotonic };
      this.#buckets.set(type, bucket);
    }
    const gained = ((monotonic - bucket.at) * this.#rate) / 1000;
    bucket.tokens = Math.min(this.#rate, bucket.tokens + gained);
    bucket.at = monotonic;
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  /** One is not told. @param routingKey null where no listener names it */
  leaveOut(type: Type, routingKey: string | null): void {
    let counts = this.#leftOut.get(type);
    if (counts === undefined) {
      counts = new Map();
      this.#leftOut.set(type, counts);
    }
    counts.set(routingKey, (counts.get(routingKey) ?? 0) + 1);
  }

  /** What was left out since the last call. */
  takeLeftOut(): LeftOut<Type>[] {
    if (this.#leftOut.size === 0) return [];
    const all = [...this.#leftOut].flatMap(([type, counts]) =>
      [...counts].map(([routingKey, count]) => ({ type, routingKey, count })),
    );
    this.#leftOut.clear();
    return all;
  }
}
