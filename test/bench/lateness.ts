import { Histogram } from './harness.ts';
import { LATENESS_STEP, type Readings } from './programs/gauge.ts';

/** How late messages were written to the socket, by what the scheduler's gauge has counted. */
export function latenessOf(threads: readonly Readings[]): Histogram {
  const counts: number[] = [];
  for (const { lateness } of threads)
    for (const [bucket, count] of lateness) {
      while (counts.length <= bucket) counts.push(0);
      counts[bucket]! += count;
    }
  return Histogram.from({ width: LATENESS_STEP, counts, max: counts.length * LATENESS_STEP });
}
