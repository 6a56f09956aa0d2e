/**
 * How far a catch-up has come whose runs wait for DALGA_CATCHUP_RATE, where more jobs wait than a checkpoint lists. The
 * watermark then waits for the first missed time of a job that waits, and says nothing of the jobs that have run since.
 * What became of each follows from its row and from what happened to all: when times were missed, how far the
 * jobs' next times were taken until then, and how far those that wait.
 */
export type PacedCatchUp = {
  /** The rule that they were judged by, ms. */
  readonly misfireAfter: number;
  /** Unix ms: what is said holds for rows whose `since` is not later; of later ones the scheduler may not have known. */
  readonly known: number;
  /** In their order, at least one. */
  readonly lapses: readonly Lapse[];
  /** The first missed time of the jobs that wait now, Unix ms. */
  readonly missedFrom: number;
  /** Up to which the jobs' next times were taken, Unix ms. */
  readonly through: number;
};

/** Jobs whose next times had come by `clock` were judged by it: those that missed theirs wait, or are listed; the others ran. */
export type Lapse = {
  /** Every job's next time was the first of its times at or after this one, Unix ms. */
  readonly from: number;
  /** Unix ms. */
  readonly clock: number;
  /** The first missed time of the jobs that waited then, Unix ms; Infinity when none did. */
  readonly missedFrom: number;
  /** Jobs that missed an earlier time than this one are among the exceptions, Unix ms; Infinity for all. */
  readonly waitsFrom: number;
};

/** A job's times, as far as it owes them. Unix ms. */
export type Times = {
  /** Infinity when there is none. */
  readonly firstAtOrAfter: (time: number) => number;
  /** Whether a time is called missed when it comes to its turn at `clock`, and waits. */
  readonly isMissed: (time: number, clock: number) => boolean;
};

/** What a job owes: all from `next` on, and all from `missed` to the lapse that it waits since; Infinity for none. */
export type Owed = { readonly missed: number; readonly next: number };

/**
 * Tells what became of one job. Not for jobs of which each missed time runs.
 *
 * A job begins to wait when a lapse finds its next time missed. It waits no more when its regular time comes, which
 * stands for what it missed, or when those that wait are taken up to its first missed time.
 */
export function owedAfter(
  { lapses, missedFrom, through }: PacedCatchUp,
  { firstAtOrAfter, isMissed }: Times,
): Owed {
  let missed = Number.POSITIVE_INFINITY;
  let onTimeFrom = Number.POSITIVE_INFINITY;
  for (const lapse of lapses) {
    // A change that came late has put the queue back to before it.
    if (lapse.from >= through) break;
    if (onTimeFrom < lapse.from && firstAtOrAfter(onTimeFrom) < lapse.from) missed = Number.POSITIVE_INFINITY;
    if (missed < lapse.missedFrom) missed = Number.POSITIVE_INFINITY;
    const time = firstAtOrAfter(lapse.from);
    if (time <= lapse.clock && time < through) {
      if (!isMissed(time, lapse.clock)) missed = Number.POSITIVE_INFINITY;
      else if (missed === Number.POSITIVE_INFINITY && time >= lapse.waitsFrom) missed = time;
    }
    onTimeFrom = lapse.clock + 1;
  }
  if (onTimeFrom < through && firstAtOrAfter(onTimeFrom) < through) missed = Number.POSITIVE_INFINITY;
  if (missed < missedFrom) missed = Number.POSITIVE_INFINITY;
  return { missed, next: firstAtOrAfter(through) };
}
