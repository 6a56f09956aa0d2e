import type { LatenessSummary } from '../protocol/lateness.ts';

/** A slot holds so many ms, and so many of them are looked back on: five minutes in all. */
const SLOT = 10_000;
const SLOTS = 30;

/** Of each power of two: what is told is wrong by a sixteenth at most. */
const STEPS = 16;
/** Units of 1/16 ms: the first buckets are as wide as one, and the last one begins after 24 days. */
const UNITS = 16;
const BUCKETS = STEPS * 32;

/**
 * The lateness of the last minutes, counted in logarithmic buckets:
 *
 *   units:    0 1 2 ... 15 | 16 17 ... 31 | 32 34 36 ... 62 | 64 68 72 ... 124 | ...
 *   bucket:   0 1 2 ... 15 | 16 17 ... 31 | 32 33 34 ... 47 | 48 49 50 ...  63 | ...
 */
export class LatenessWindow {
  readonly #slots = Array.from({ length: SLOTS }, () => ({
    number: -1,
    counts: new Uint32Array(BUCKETS),
    max: 0,
  }));

  /** @param lateness ms. @param monotonic ms */
  note(lateness: number, monotonic: number): void {
    const number = Math.floor(monotonic / SLOT);
    const slot = this.#slots[number % SLOTS]!;
    if (slot.number !== number) {
      slot.number = number;
      slot.counts.fill(0);
      slot.max = 0;
    }
    slot.counts[bucketOf(lateness)]!++;
    if (lateness > slot.max) slot.max = lateness;
  }

  /** @param monotonic ms */
  read(monotonic: number): LatenessSummary {
    const oldest = Math.floor(monotonic / SLOT) - SLOTS + 1;
    const counts = new Float64Array(BUCKETS);
    let count = 0;
    let max = 0;
    for (const slot of this.#slots) {
      if (slot.number < oldest) continue;
      max = Math.max(max, slot.max);
      for (const [bucket, value] of slot.counts.entries()) {
        counts[bucket]! += value;
        count += value;
      }
    }
    const at = (share: number) => (count === 0 ? null : Math.min(max, percentile(counts, share * count)));
    return { count, p50: at(0.5), p99: at(0.99), p999: at(0.999), max: count === 0 ? null : max };
  }
}

function bucketOf(lateness: number): number {
  const units = Math.max(0, Math.floor(lateness * UNITS));
  if (units < 2 * STEPS) return units;
  const exponent = Math.floor(Math.log2(units)) - 4;
  return Math.min(BUCKETS - 1, STEPS * exponent + Math.floor(units / 2 ** exponent));
}

/** The upper end of the bucket in which the rank falls, ms. */
function percentile(counts: Float64Array, rank: number): number {
  let sum = 0;
  for (const [bucket, count] of counts.entries()) {
    sum += count;
    if (sum >= rank && count > 0) return endOf(bucket) / UNITS;
  }
  return endOf(BUCKETS - 1) / UNITS;
}

function endOf(bucket: number): number {
  if (bucket < 2 * STEPS) return bucket + 1;
  const exponent = Math.floor(bucket / STEPS) - 1;
  return ((bucket % STEPS) + STEPS + 1) * 2 ** exponent;
}
