import { isStepped, STEPS_LIMIT, tooManyRuns } from './check-schedule.ts';
import type { Schedule } from './job.ts';
import { END_OF_TIME, HORIZON, type Timetable } from './times.ts';
import { timetableOf } from './timetable.ts';

/**
 * The time of the last occurrence that `rules.maxRuns` leaves, counted from `since` on, Unix ms: what
 * `rules.endsAt` is to be. An end by last_run that comes before it is that end.
 *
 * @param since Unix ms, the stamp of the change that plans the schedule
 * @param id the job's, which jitter depends on
 * @returns null without maxRuns; where fewer occurrences are left at all; and where the last would come after the
 *   year 9999, or of those that are counted one by one a hundred years after `since`, which is no end to speak of
 * @throws DalgaError invalid_parameter when more would have to be counted than STEPS_LIMIT
 */
export function endOf(schedule: Schedule, since: number, id: number): number | null {
  const { maxRuns, endsAt, ...rules } = schedule.rules ?? {};
  if (maxRuns === undefined) return null;
  const times = timetableOf({ ...schedule, rules }, id);
  const first = times.firstAtOrAfter(since);
  if (isStepped(schedule)) return stepped(times, first, maxRuns);
  if (schedule.kind !== 'interval') return null;
  // The occurrence at an unmoved time is the first of the timetable at or after it, since none is moved past the next.
  const unmoved = timetableOf({ ...schedule, rules: {} }, id).lastAtOrBefore(first);
  const last = times.firstAtOrAfter(unmoved + (maxRuns - 1) * schedule.intervalMs);
  return last < END_OF_TIME ? last : null;
}

function stepped(times: Timetable, first: number, maxRuns: number): number | null {
  if (maxRuns > STEPS_LIMIT) throw tooManyRuns();
  let time = first;
  for (let runs = 1; runs < maxRuns && time <= first + HORIZON; runs++) time = times.firstAtOrAfter(time + 1);
  return time <= first + HORIZON && time < END_OF_TIME ? time : null;
}
