/**
 * How far a catch-up has come. While many jobs are due at once they are taken in the order of their first due times,
 * and each runs for the latest of its times: the watermark, which waits for the earliest that is not taken, says
 * nothing of what those that were taken have run since. This does, for jobs whose schedule has not changed since then:
 * one whose first time at or after `origin` lies before `untils[k]`, and not before `untils[k - 1]`, has all its times
 * before `throughs[k]` settled, or listed among the exceptions.
 */
export type CaughtUp = {
  /** Unix ms. */
  readonly origin: number;
  /** Unix ms, ascending. */
  readonly untils: readonly number[];
  /** Unix ms beside them, ascending. */
  readonly throughs: readonly number[];
};

/** Before which time a job has nothing to run, Unix ms; 0 when that is not known. @param first at or after `origin` */
export function caughtUpThrough({ untils, throughs }: CaughtUp, first: number): number {
  let low = 0;
  let high = untils.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (untils[middle]! > first) high = middle;
    else low = middle + 1;
  }
  return throughs[low] ?? 0;
}
