/**
 * How late messages were written to the socket, counted. The scheduler counts, main shows it: both have the same
 * buckets.
 */
export type Lateness = {
  /** How many fell into each bucket alone, in the order of the bounds, and at the end those beyond the last. */
  readonly counts: Float64Array;
  /** ms, of all together. */
  readonly sum: number;
};

/** The upper bounds of the buckets, inclusive, ms: from what a good day shows to what an outage leaves behind. */
export const LATENESS_BOUNDS: readonly number[] = [
  1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000,
];

/** Percentiles of how late messages were written to the socket, ms; null when there was none. */
export type LatenessSummary = {
  readonly count: number;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly max: number | null;
};
