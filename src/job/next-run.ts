import { DalgaError } from '../errors.ts';
import type { JobRow, Schedule } from './job.ts';
import { timetableOf } from './timetable.ts';

/**
 * When a job runs, in Unix ms. `Infinity` and `-Infinity` mean that there is no such time. Nothing here loops over
 * occurrences, so that a jump of the clock by years costs nothing.
 */

/** Whether arithmetic on interval and first run alone tells when it runs. */
export function isPlain({ kind, rules }: Schedule): boolean {
  if (kind === 'calendar' || kind === 'cron') return false;
  if (rules === undefined) return true;
  return (rules.exclude ?? rules.jitter ?? rules.notBefore ?? rules.lastRun ?? rules.endsAt) === undefined;
}

/** The first scheduled time at or after `time`. @param id the job's */
export function firstAtOrAfter(schedule: Schedule, time: number, id: number): number {
  if (!isPlain(schedule)) return timetableOf(schedule, id).firstAtOrAfter(time);
  const { firstRun } = schedule;
  if (time <= firstRun) return firstRun;
  if (schedule.kind !== 'interval') return Number.POSITIVE_INFINITY;
  return firstRun + Math.ceil((time - firstRun) / schedule.intervalMs) * schedule.intervalMs;
}

/** The last scheduled time at or before `time`. @param id the job's */
export function lastAtOrBefore(schedule: Schedule, time: number, id: number): number {
  if (!isPlain(schedule)) return timetableOf(schedule, id).lastAtOrBefore(time);
  const { firstRun } = schedule;
  if (time < firstRun) return Number.NEGATIVE_INFINITY;
  if (schedule.kind !== 'interval') return firstRun;
  return firstRun + Math.floor((time - firstRun) / schedule.intervalMs) * schedule.intervalMs;
}

/**
 * The next run as a client is told it: the first time, not in the past, that the job still owes. A one-off whose
 * time has come and that is still stored keeps its time. Null when the job is paused, has none left, or has a schedule
 * that cannot be told any more: then it does not run either.
 */
export function nextRun({ id, enabled, since, schedule }: JobRow, now: number): number | null {
  if (!enabled) return null;
  const from = schedule.kind === 'one_off' ? schedule.firstRun : Math.max(since, now);
  try {
    const next = firstAtOrAfter(schedule, from, id);
    return next === Number.POSITIVE_INFINITY ? null : next;
  } catch (error) {
    if (error instanceof DalgaError) return null;
    throw error;
  }
}
