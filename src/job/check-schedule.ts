import { type DalgaError, invalidParameter } from '../errors.ts';
import { cronOf } from './cron.ts';
import { exclusionOf } from './exclusion.ts';
import type { Rules, Schedule } from './job.ts';
import { formatTime } from './rfc3339.ts';
import { timetableOf } from './timetable.ts';
import { zoneOf } from './zone.ts';

/** ms, a day. */
export const JITTER_LIMIT = 86_400_000;

/** How many occurrences are counted one by one when a schedule is planned. */
export const STEPS_LIMIT = 10_000;

/** The most that max_runs may be. */
const RUNS_LIMIT = 4_294_967_295;

/**
 * Refuses a schedule whose parts are wrong, mean nothing together, or leave no occurrence. What passes has at least
 * one, and a search for it that ended: none goes on for more than a hundred years without any (times.ts).
 *
 * @throws DalgaError invalid_parameter, which names the parameter and the rule
 */
export function checkSchedule(schedule: Schedule): void {
  const rules = schedule.rules ?? {};
  checkParts(rules);
  checkMeaning(schedule, rules);
  const { lastRun = Number.POSITIVE_INFINITY, notBefore, jitter, endsAt, maxRuns, ...others } = rules;
  // This reads the cron expression too, whose refusal names it.
  const first = timetableOf({ ...schedule, rules: others }, 0).firstAtOrAfter(Number.NEGATIVE_INFINITY);
  if (first === Number.POSITIVE_INFINITY) throw noOccurrence(schedule, rules);
  if (first > lastRun)
    throw invalidParameter('last_run', `lies before the first occurrence, ${formatTime(first)}`);
  if (maxRuns !== undefined && isStepped(schedule) && maxRuns > STEPS_LIMIT) throw tooManyRuns();
}

/** Whether its occurrences can only be counted one by one: all but those of an interval without exclusions. */
export function isStepped({ kind, rules }: Schedule): boolean {
  return kind !== 'interval' || hasEntries(rules?.exclude);
}

export function tooManyRuns(): DalgaError {
  const rule = `must be at most ${STEPS_LIMIT} for a cron expression, a calendar interval, or with exclude`;
  return invalidParameter('max_runs', rule);
}

/** Parts of a schedule, or of a change to one; null takes a part away. */
type Parts = { readonly cron?: string | undefined } & {
  readonly [Name in 'location' | 'gap' | 'overlap' | 'exclude' | 'jitter' | 'maxRuns']?:
    | Rules[Name]
    | null
    | undefined;
};

/**
 * Refuses a part that is wrong whatever stands beside it.
 *
 * @throws DalgaError invalid_parameter, which names the parameter and the rule
 */
export function checkParts({ cron, location, gap, overlap, exclude, jitter, maxRuns }: Parts): void {
  if (isGiven(cron)) cronOf(cron);
  if (isGiven(location)) zoneOf(location);
  if (isGiven(gap) && gap !== 'skip' && gap !== 'run') throw invalidParameter('gap', 'must be skip or run');
  if (isGiven(overlap) && overlap !== 'first' && overlap !== 'both') {
    throw invalidParameter('overlap', 'must be first or both');
  }
  if (isGiven(exclude)) exclusionOf(exclude);
  if (isGiven(jitter) && !isWhole(jitter, 0, JITTER_LIMIT)) {
    throw invalidParameter('jitter', `must be at most ${JITTER_LIMIT / 1000} s (a day)`);
  }
  if (isGiven(maxRuns) && !isWhole(maxRuns, 1, RUNS_LIMIT)) {
    throw invalidParameter('max_runs', `must be a whole number from 1 to ${RUNS_LIMIT}`);
  }
}

/** What nothing in the schedule makes use of: whoever gave it expects something of it. */
function checkMeaning(
  { kind }: Schedule,
  { location, gap, overlap, exclude, lastRun, maxRuns }: Rules,
): void {
  const local = kind === 'cron' || kind === 'calendar';
  const where = 'means nothing without a cron expression or an interval of days, weeks, months or years';
  if (location !== undefined && !local && !hasEntries(exclude))
    throw invalidParameter('location', `${where}, or exclude`);
  if (gap !== undefined && !local) throw invalidParameter('gap', where);
  if (overlap !== undefined && !local) throw invalidParameter('overlap', where);
  if (kind !== 'one_off') return;
  if (lastRun !== undefined) throw invalidParameter('last_run', 'means nothing for a one_off job');
  if (maxRuns !== undefined) throw invalidParameter('max_runs', 'means nothing for a one_off job');
}

function noOccurrence({ kind, firstRun }: Schedule, { exclude }: Rules): DalgaError {
  if (hasEntries(exclude)) return invalidParameter('exclude', 'leaves no occurrence in a hundred years');
  const parameter = kind === 'cron' ? 'cron' : 'first_run';
  return invalidParameter(parameter, `leaves no occurrence from ${formatTime(firstRun)} on`);
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== undefined && value !== null;
}

function hasEntries(exclude: readonly string[] | undefined): boolean {
  return exclude !== undefined && exclude.length > 0;
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
