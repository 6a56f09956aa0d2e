/** What crosses from one process to another. */
export type HistogramData = {
  readonly width: number;
  readonly counts: readonly number[];
  readonly max: number;
};

const BUCKETS = 600_000;

/**
 * Counts values of ms in buckets of one width (1 ms unless told), so that millions of them take no memory of their
 * own; the last bucket is open. Values below 0 count as 0.
 */
export class Histogram {
  readonly width: number;
  readonly #counts = new Uint32Array(BUCKETS);
  #count = 0;
  #max = 0;

  /** @param width ms */
  constructor(width = 1) {
    this.width = width;
  }

  static from({ width, counts, max }: HistogramData): Histogram {
    const histogram = new Histogram(width);
    for (const [bucket, count] of counts.entries()) {
      histogram.#counts[bucket] = count;
      histogram.#count += count;
    }
    histogram.#max = max;
    return histogram;
  }

  /** @param value ms */
  add(value: number): void {
    const bucket = Math.min(Math.max(Math.floor(value / this.width), 0), BUCKETS - 1);
    this.#counts[bucket]! += 1;
    this.#count += 1;
    if (value > this.#max) this.#max = value;
  }

  get count(): number {
    return this.#count;
  }

  /** ms */
  get max(): number {
    return this.#max;
  }

  /** The value (ms, the upper edge of its bucket) that this share of all values does not exceed. */
  percentile(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.#count));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen >= wanted) return Math.min((bucket + 1) * this.width, this.#max);
    }
    return this.#max;
  }

  /** In buckets of 1 ms, up to the last that holds anything. */
  perMillisecond(): number[] {
    const counts: number[] = [];
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = this.#counts[bucket]!;
      if (count === 0) continue;
      const ms = Math.floor(bucket * this.width);
      while (counts.length <= ms) counts.push(0);
      counts[ms]! += count;
    }
    return counts;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#max = 0;
  }

  data(): HistogramData {
    const end = this.#counts.findLastIndex((count) => count > 0) + 1;
    return { width: this.width, counts: Array.from(this.#counts.subarray(0, end)), max: this.#max };
  }
}
