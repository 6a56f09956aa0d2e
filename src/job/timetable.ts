import { CalendarTimes } from './calendar.ts';
import { cronOf } from './cron.ts';
import { type Duration, parseDuration } from './duration.ts';
import { exclusionOf } from './exclusion.ts';
import { Jittered } from './jitter.ts';
import type { Rules, Schedule } from './job.ts';
import { type ClockChanges, LocalTimes } from './local-times.ts';
import { Remembered } from './remembered.ts';
import { SharedCache } from './shared-cache.ts';
import { END_OF_TIME, IntervalTimes, OnceTimes, TimesWithin, type Timetable } from './times.ts';
import { WithoutExcluded } from './without-excluded.ts';
import { zoneOf } from './zone.ts';

export type { Timetable } from './times.ts';

const NO_RULES: Rules = {};

/** A local time that does not exist runs when the gap ends, one that comes twice at the first. */
const CALENDAR_CHANGES: ClockChanges = { gap: 'run', overlap: 'first' };

/**
 * When a job runs: the times of its schedule, without those that are excluded, from first_run (and notBefore) to last_run; each
 * moved by its jitter; up to `endsAt`. Whether an occurrence is excluded is judged by its time before it is moved.
 *
 * @param id the job's, which jitter depends on
 * @throws DalgaError invalid_parameter for a schedule that `checkSchedule` would refuse
 */
export function timetableOf(schedule: Schedule, id: number): Timetable {
  const rules = schedule.rules ?? NO_RULES;
  const { notBefore = Number.NEGATIVE_INFINITY, lastRun = Number.POSITIVE_INFINITY, jitter = 0 } = rules;
  let times = regularTimes(schedule, rules);
  // What is shared begins with time itself.
  const first = schedule.kind === 'cron' ? Math.max(schedule.firstRun, notBefore) : notBefore;
  // Nor is anything moved out of what can be told.
  const last = jitter > 0 ? Math.min(lastRun, END_OF_TIME - 1) : lastRun;
  if (Number.isFinite(first) || Number.isFinite(last)) times = new TimesWithin(times, first, last);
  if (jitter > 0) times = new Jittered(times, id, jitter, last);
  if (rules.endsAt !== undefined) times = new TimesWithin(times, Number.NEGATIVE_INFINITY, rules.endsAt);
  return times;
}

/** The times that are not excluded. */
function regularTimes(schedule: Schedule, rules: Rules): Timetable {
  if (schedule.kind === 'cron') return sharedTimes(schedule.cron, rules);
  const times = plainTimes(schedule, rules);
  if (rules.exclude === undefined || rules.exclude.length === 0) return times;
  return new WithoutExcluded(times, exclusionOf(rules.exclude), zoneOf(rules.location ?? 'UTC'));
}

function plainTimes(schedule: Exclude<Schedule, { kind: 'cron' }>, rules: Rules): Timetable {
  if (schedule.kind === 'interval') return new IntervalTimes(schedule.firstRun, schedule.intervalMs);
  if (schedule.kind === 'one_off') return new OnceTimes(schedule.firstRun);
  const zone = zoneOf(rules.location ?? 'UTC');
  const changes = changesOf(rules, CALENDAR_CHANGES);
  return new CalendarTimes(schedule.firstRun, calendarDuration(schedule.intervalText), zone, changes);
}

const cronTimes = new SharedCache<Timetable>();

/** Shared by all jobs that agree in what their times depend on besides first_run. */
function sharedTimes(cron: string, rules: Rules): Timetable {
  const { location = 'UTC', gap = '', overlap = '', exclude = [] } = rules;
  const key = rules === NO_RULES ? cron : [cron, location, gap, overlap, ...exclude].join('\n');
  return cronTimes.get(key, () => {
    const pattern = cronOf(cron);
    const zone = zoneOf(location);
    const times = new LocalTimes(pattern, zone, changesOf(rules, pattern.changes));
    if (exclude.length === 0) return new Remembered(times);
    return new Remembered(new WithoutExcluded(times, exclusionOf(exclude), zone));
  });
}

function changesOf({ gap, overlap }: Rules, otherwise: ClockChanges): ClockChanges {
  return { gap: gap ?? otherwise.gap, overlap: overlap ?? otherwise.overlap };
}

function calendarDuration(text: string): Duration {
  const duration = parseDuration(text);
  if (duration === null) throw new RangeError(`no duration: ${text}`);
  return duration;
}
