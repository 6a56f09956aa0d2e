import type { Timetable } from './timetable.ts';

/**
 * What a job's turn runs. Missed is not late: an occurrence is missed when its turn comes more than
 * `misfireAfter` after its time (or the interval, if that is shorter); a younger one just runs. Under
 * misfire=once one run stands for all that was missed: it carries the latest scheduled time that is due, and
 * those before it are superseded. Phases are kept, and a turn costs the same however long the gap was.
 */
export type Turn = {
  /** Whether it runs: what is missed may be dropped. */
  runs: boolean;
  /** The scheduled time of this run, Unix ms. */
  time: number;
  /** How many earlier scheduled times this run stands for. */
  behind: number;
  /** How many scheduled times nothing runs for. */
  skipped: number;
  /** The job's next scheduled time; Infinity when there is none. */
  next: number;
};

/**
 * Decides a turn into `turn` (reused, since this runs for every message).
 *
 * @param due the scheduled time whose turn it is, `due <= now`, Unix ms
 * @param intervalMs 0 for a one-off
 */
export function decideTurn(turn: Turn, due: number, intervalMs: number, now: number): void {
  turn.runs = true;
  turn.skipped = 0;
  if (intervalMs === 0) {
    turn.time = due;
    turn.behind = 0;
    turn.next = Number.POSITIVE_INFINITY;
    return;
  }
  turn.behind = now - due < intervalMs ? 0 : Math.floor((now - due) / intervalMs);
  turn.time = due + turn.behind * intervalMs;
  turn.next = turn.time + intervalMs;
}

/**
 * How many missed times a run stands for, as x-dalga-missed tells it: the earlier ones that it supersedes, and
 * its own when it is sent later than `misfireAfter` (ms). 0 for an ordinary run.
 */
export function countMissed(
  time: number,
  behind: number,
  intervalMs: number,
  now: number,
  misfireAfter: number,
): number {
  const patience = intervalMs === 0 ? misfireAfter : Math.min(misfireAfter, intervalMs);
  return behind + (now - time > patience ? 1 : 0);
}

/** When a job runs whose schedule is no plain interval, and what becomes of the times that it misses. */
export type Misfire = {
  readonly timetable: Timetable;
  readonly policy: 'once' | 'skip' | 'all';
  /** ms: what is older at its turn is dropped; Infinity for none. */
  readonly age: number;
  /** So many times are counted at most, where counting takes steps. */
  readonly countLimit: number;
  /** Up to then (Unix ms) the backlog is known to be within the limit. */
  countedThrough: number;
};

export type MisfireLimits = {
  /** ms */
  readonly misfireAfter: number;
  /** The most missed times that `all` runs. */
  readonly backlog: number;
};

/** `decideTurn` by the job's own rules. Times in Unix ms. */
export function decideByRules(
  turn: Turn,
  due: number,
  misfire: Misfire,
  now: number,
  limits: MisfireLimits,
): void {
  if (misfire.policy === 'all') {
    decideEach(turn, due, misfire, now, limits);
    return;
  }
  const { timetable, age, countLimit } = misfire;
  const last = Math.max(due, timetable.lastAtOrBefore(now));
  turn.time = last;
  turn.next = timetable.firstAtOrAfter(last + 1);
  turn.runs = now - last <= longestWait(misfire, last, turn.next, limits);
  const earlier = last === due ? 0 : timetable.count(due, last, countLimit);
  const young = earlier > 0 && age !== Number.POSITIVE_INFINITY ? firstYoung(misfire, due, last, now) : due;
  turn.behind = 0;
  if (turn.runs && misfire.policy === 'once' && earlier > 0) {
    turn.behind = young === due ? earlier : timetable.count(young, last, countLimit);
  }
  turn.skipped = earlier - turn.behind + (turn.runs ? 0 : 1);
}

/** `misfire=all`: each runs, but for those that are too old or beyond the limit. */
function decideEach(
  turn: Turn,
  due: number,
  misfire: Misfire,
  now: number,
  { backlog }: MisfireLimits,
): void {
  const { timetable, age, countLimit } = misfire;
  let first = due;
  if (now - due > age) first = timetable.firstAtOrAfter(Math.ceil(now - age));
  if (first <= now && first > misfire.countedThrough) {
    if (timetable.count(first, now + 1, backlog + 1) > backlog) first = nthLast(timetable, now, backlog);
    misfire.countedThrough = now;
  }
  turn.runs = first <= now;
  turn.time = first;
  turn.behind = 0;
  turn.next = turn.runs ? timetable.firstAtOrAfter(first + 1) : first;
  turn.skipped = first === due ? 0 : timetable.count(due, first, countLimit);
}

/** The time from which on there are `count` until now. */
function nthLast(timetable: Timetable, now: number, count: number): number {
  let time = timetable.lastAtOrBefore(now);
  for (let left = count - 1; left > 0; left--) time = timetable.lastAtOrBefore(time - 1);
  return time;
}

function firstYoung({ timetable, age }: Misfire, due: number, last: number, now: number): number {
  return now - due <= age ? due : Math.min(last, timetable.firstAtOrAfter(Math.ceil(now - age)));
}

/** How long after its time an occurrence still runs, ms. @param next the job's next time, Unix ms */
export function longestWait(
  { policy, age }: Misfire,
  time: number,
  next: number,
  { misfireAfter }: MisfireLimits,
): number {
  return policy === 'skip' ? Math.min(age, misfireAfter, next - time) : age;
}
