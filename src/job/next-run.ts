import type { JobRow, Schedule } from './job.ts';

/**
 * When a job runs: pure arithmetic on its schedule, in Unix ms. `Infinity` and `-Infinity` mean that there is no
 * such time. Nothing here loops over occurrences, so that a jump of the clock by years costs nothing.
 */

/** The first scheduled time at or after `time`. */
export function firstAtOrAfter(schedule: Schedule, time: number): number {
  const { firstRun } = schedule;
  if (time <= firstRun) return firstRun;
  if (schedule.kind === 'one_off') return Number.POSITIVE_INFINITY;
  return firstRun + Math.ceil((time - firstRun) / schedule.intervalMs) * schedule.intervalMs;
}

/** The last scheduled time at or before `time`. */
export function lastAtOrBefore(schedule: Schedule, time: number): number {
  const { firstRun } = schedule;
  if (time < firstRun) return Number.NEGATIVE_INFINITY;
  if (schedule.kind === 'one_off') return firstRun;
  return firstRun + Math.floor((time - firstRun) / schedule.intervalMs) * schedule.intervalMs;
}

/**
 * The next run as a client is told it: the first time, not in the past, that the job still owes. A one-off whose
 * time has come and that is still stored keeps its time. Null when the job is paused.
 */
export function nextRun(row: JobRow, now: number): number | null {
  if (!row.enabled) return null;
  if (row.schedule.kind === 'one_off') return row.schedule.firstRun;
  return firstAtOrAfter(row.schedule, Math.max(row.since, now));
}
