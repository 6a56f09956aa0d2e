import { invalidParameter } from '../errors.ts';
import type { Schedule } from './job.ts';
import { END_OF_TIME } from './times.ts';

/** How consumers set the pace of a job. */
export type Pace = {
  /** Unix ms: the next run is not to come before this. */
  readonly notBefore?: number | undefined;
  /** ms by which the phase is moved. */
  readonly shift?: number | undefined;
};

/**
 * The schedule at another phase, or from its first time on that is not before `notBefore`. An interval's first run moves
 * by whole intervals, so that most jobs need no rule for it: where Dalga chose it, also back; one that a client named only
 * ahead, until a PUT names it again, which plans the job anew. From a calendar's first run all others are counted: it
 * stays, beside a rule.
 *
 * @param stamp Unix ms
 * @throws DalgaError
 */
export function moved(schedule: Schedule, { notBefore, shift }: Pace, stamp: number): Schedule {
  if (shift !== undefined && schedule.kind === 'cron') {
    throw invalidParameter('shift', 'is not for jobs with a cron expression, which have no phase');
  }
  const firstRun = schedule.firstRun + (shift ?? 0);
  if (shift !== undefined && (firstRun < 0 || firstRun >= END_OF_TIME)) {
    throw invalidParameter('shift', 'must leave the first run in the years 1970 to 9999');
  }
  const shifted = { ...schedule, firstRun };
  // A time that is past runs with the stamp as its scheduled time.
  if (shifted.kind === 'one_off') {
    return { ...shifted, firstRun: Math.max(firstRun, notBefore ?? stamp, stamp) };
  }
  if (notBefore === undefined) return shifted;
  if (shifted.kind === 'interval') {
    const ahead = Math.ceil((notBefore - firstRun) / shifted.intervalMs);
    const first = firstRun + (shifted.anchored ? Math.max(0, ahead) : ahead) * shifted.intervalMs;
    if (first >= END_OF_TIME) throw invalidParameter('not_before', 'leaves no run until the year 9999');
    return { ...shifted, firstRun: first };
  }
  return notBefore > stamp ? { ...shifted, rules: { ...shifted.rules, notBefore } } : shifted;
}
