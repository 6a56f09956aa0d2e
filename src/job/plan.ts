import { type DalgaError, invalidParameter } from '../errors.ts';
import { checkParts, checkSchedule } from './check-schedule.ts';
import { endOf } from './end-of-schedule.ts';
import type { Rules, Schedule } from './job.ts';
import { INTERVAL_LIMIT } from './job.ts';
import { moved } from './pace.ts';
import { timetableOf } from './timetable.ts';

/** The interval of a request, after parsing. */
export type Interval = {
  /** ms; a whole number of seconds, 1 to 4294967295 of them. Null for a duration whose length the calendar tells. */
  readonly ms: number | null;
  /** The ISO 8601 duration as the client gave it; null for a number of seconds. */
  readonly text: string | null;
};

/**
 * The schedule parameters that a request named; undefined where it named none, and null where it took away what is
 * stored. Times in Unix ms, durations in ms.
 */
export type ScheduleRequest = {
  readonly interval?: Interval | undefined;
  readonly cron?: string | undefined;
  readonly firstRun?: number | undefined;
  readonly oneOff?: boolean | undefined;
  readonly immediate?: boolean | undefined;
  /**
   * False: `firstRun` is a phase that Dalga chose, and not one that the client asked for; then a later PUT without
   * it keeps the phase. What an export tells, so that an import makes the same job.
   */
  readonly anchored?: false | undefined;
  /** The phase of an interval comes from the job's name, so that many jobs are spread evenly. */
  readonly phase?: 'spread' | undefined;
  /** The next run is not to come before this. */
  readonly notBefore?: number | undefined;
  /** ms by which the phase is moved. */
  readonly shift?: number | undefined;
  readonly location?: string | null | undefined;
  readonly gap?: 'skip' | 'run' | null | undefined;
  readonly overlap?: 'first' | 'both' | null | undefined;
  readonly exclude?: readonly string[] | null | undefined;
  readonly jitter?: number | null | undefined;
  readonly lastRun?: number | null | undefined;
  readonly maxRuns?: number | null | undefined;
  readonly misfire?: 'once' | 'skip' | 'all' | null | undefined;
  readonly misfireAge?: number | null | undefined;
};

/** What the phase and the jitter of a job are made of. */
export type Identity = { readonly id: number; readonly hash: Uint8Array };

const NOBODY: Identity = { id: 0, hash: new Uint8Array(16) };

/** Rules that say when a job runs: changing one plans the job anew, at its phase. */
const SHAPING = ['location', 'gap', 'overlap', 'exclude', 'jitter', 'lastRun', 'maxRuns'] as const;

/** Refuses a PUT whose parameters do not make a schedule. A rule here does not depend on what is stored. */
export function checkPut(request: ScheduleRequest): void {
  if (request.notBefore !== undefined) throw ofStored('not_before');
  checkDefinition(request);
}

/** The same of what an export tells: a client may keep the job back. */
export function checkDefinition(request: ScheduleRequest): void {
  checkCombination(request);
  if (request.shift !== undefined) throw ofStored('shift');
  if (request.oneOff === true) {
    if (request.interval === undefined && request.firstRun === undefined && request.immediate !== true) {
      throw invalidParameter(
        'first_run',
        'is required for a one_off job, or an interval as its delay, or immediate=true',
      );
    }
  } else if (request.interval === undefined && request.cron === undefined) {
    throw invalidParameter(
      'interval',
      `is required: 1 to ${INTERVAL_LIMIT} seconds, or an ISO 8601 duration; or cron in its place`,
    );
  }
}

/** Refuses what is wrong in PUT, POST and PATCH alike, and combinations that have no meaning in any of them. */
export function checkCombination(request: ScheduleRequest): void {
  if (request.immediate === true && request.firstRun !== undefined) {
    throw invalidParameter('first_run', 'and immediate=true exclude each other');
  }
  for (const name of ['notBefore', 'shift'] as const) {
    if (request.immediate !== true || request[name] === undefined) continue;
    throw invalidParameter(name === 'shift' ? name : 'not_before', 'and immediate=true exclude each other');
  }
  if (request.oneOff === true) checkOneOff(request);
  if (request.cron !== undefined) {
    if (request.interval !== undefined) throw invalidParameter('cron', 'and interval exclude each other');
    if (request.oneOff === true) throw invalidParameter('cron', 'and one_off=true exclude each other');
    if (request.immediate === true) throw invalidParameter('cron', 'and immediate=true exclude each other');
  }
  if (request.phase !== undefined) {
    if (request.interval === undefined || request.interval.ms === null) throw withoutPhase();
    if (request.firstRun !== undefined && request.anchored === undefined) {
      throw invalidParameter('phase', 'and first_run exclude each other: both say at which phase it runs');
    }
    if (request.immediate === true) throw invalidParameter('phase', 'and immediate=true exclude each other');
  }
  checkParts(request);
}

/** What has no meaning for a one-off. That a stored job is one, a change of it need not say. */
function checkOneOff({ interval, firstRun, anchored, phase }: ScheduleRequest): void {
  if (interval !== undefined && firstRun !== undefined && anchored === undefined) {
    throw invalidParameter(
      'first_run',
      'and interval exclude each other for a one_off job: both say when it runs',
    );
  }
  if (phase !== undefined) throw withoutPhase();
}

function withoutPhase(): DalgaError {
  return invalidParameter('phase', 'is for jobs with an interval of a fixed length');
}

/**
 * The schedule that a PUT asks for, or the stored one itself when it is equal to it, so that a service which
 * registers its jobs at every deploy keeps their phases, and the words in which their interval was first given.
 * What runs at once, and a one-off whose time has come, are never equal to what is stored.
 */
export function planPut(
  stored: Schedule | undefined,
  request: ScheduleRequest,
  stamp: number,
  identity: Identity = NOBODY,
): Schedule {
  if (stored !== undefined && isEqual(stored, request, stamp)) {
    const { misfire, misfireAge } = request;
    return withMisfire(stored, { misfire: misfire ?? null, misfireAge: misfireAge ?? null });
  }
  const planned = plan(request, rulesAfter(undefined, request), stamp, identity);
  return finish(moved(planned, request, stamp), stamp, identity);
}

/**
 * The schedule after a POST: planned anew from the stamp when the request names interval, cron, first_run, one_off
 * or immediate, even with the same value; at its phase when it names another rule; else the stored one itself.
 *
 * @param since when the stored one was planned, Unix ms
 * @throws DalgaError when a one-off is to become a recurring job and no interval is known, or is to stay one and what
 *   is named means nothing for it
 */
export function planPost(
  stored: Schedule,
  request: ScheduleRequest,
  stamp: number,
  since = stamp,
  identity: Identity = NOBODY,
): Schedule {
  if (!plansAnew(request)) return withMisfire(stored, request);
  const rules = withRunsLeft(rulesAfter(stored.rules, request), stored, request, since, stamp, identity);
  if (request.notBefore !== undefined && request.notBefore > (rules?.lastRun ?? Number.POSITIVE_INFINITY)) {
    throw invalidParameter('not_before', 'leaves no run up to last_run');
  }
  if (!namesTimes(request)) {
    const kept = { ...request, notBefore: request.notBefore ?? stored.rules?.notBefore };
    return finish(moved({ ...stored, rules }, kept, stamp), stamp, identity);
  }
  const { cron, interval } = mergeTiming(stored, request);
  const oneOff = cron === undefined && (request.oneOff ?? stored.kind === 'one_off');
  if (oneOff) checkOneOff(request);
  const planned = plan({ ...request, cron, interval, oneOff }, rules, stamp, identity);
  return finish(moved(planned, request, stamp), stamp, identity);
}

/** Whether a POST changes when the job runs. */
export function plansAnew(request: ScheduleRequest): boolean {
  const pace = request.notBefore ?? request.shift;
  return namesTimes(request) || pace !== undefined || SHAPING.some((name) => request[name] !== undefined);
}

function namesTimes({ interval, cron, firstRun, oneOff, immediate }: ScheduleRequest): boolean {
  return (interval ?? cron ?? firstRun ?? oneOff) !== undefined || immediate === true;
}

/** What a POST that plans anew takes of the stored schedule. */
function mergeTiming(stored: Schedule, request: ScheduleRequest): Pick<ScheduleRequest, 'cron' | 'interval'> {
  if (request.cron !== undefined) return { cron: request.cron };
  if (request.interval !== undefined) return { interval: request.interval };
  if (stored.kind === 'cron' && request.oneOff !== true && request.immediate !== true) {
    return { cron: stored.cron };
  }
  const oneOff = request.oneOff ?? stored.kind === 'one_off';
  const timed = request.firstRun !== undefined || request.immediate === true;
  if (oneOff && timed) return {};
  const interval = storedInterval(stored);
  if (interval === undefined) throw invalidParameter('interval', 'is required: the stored job has none');
  return { interval };
}

function plan(
  request: ScheduleRequest,
  rules: Rules | undefined,
  stamp: number,
  identity: Identity,
): Schedule {
  const { interval, cron, firstRun, oneOff } = request;
  const anchored = firstRun !== undefined && request.anchored === undefined;
  // Most have no rules: then the key is left out.
  const given = rules === undefined ? { anchored } : { anchored, rules };
  if (cron !== undefined) {
    return {
      kind: 'cron',
      cron,
      intervalMs: null,
      intervalText: null,
      firstRun: firstRun ?? stamp,
      ...given,
    };
  }
  const start = request.immediate === true ? stamp : (firstRun ?? startOf(request, rules, stamp, identity));
  if (oneOff === true) {
    const delay = { intervalMs: interval?.ms ?? null, intervalText: interval?.text ?? null };
    // A time that is past runs with the stamp as its scheduled time.
    const time = Math.max(start, stamp);
    return { kind: 'one_off', ...delay, firstRun: time, ...given };
  }
  if (interval === undefined) throw invalidParameter('interval', 'is required');
  const { ms, text } = interval;
  return ms === null
    ? { kind: 'calendar', intervalMs: null, intervalText: text!, firstRun: start, ...given }
    : { kind: 'interval', intervalMs: ms, intervalText: text, firstRun: start, ...given };
}

/** When a job begins whose request does not say: an interval after the stamp, or at the phase of its name. */
function startOf(
  { interval, phase }: ScheduleRequest,
  rules: Rules | undefined,
  stamp: number,
  { hash }: Identity,
): number {
  if (interval === undefined) return stamp;
  if (interval.ms === null) return oneDurationAfter(interval.text!, rules, stamp);
  if (phase === undefined) return stamp + interval.ms;
  const view = new DataView(hash.buffer, hash.byteOffset, 8);
  const offset = Number(view.getBigUint64(0) % BigInt(interval.ms));
  return stamp + ((((offset - stamp) % interval.ms) + interval.ms) % interval.ms);
}

/** On the calendar of the job's location. */
function oneDurationAfter(text: string, { location }: Rules = {}, stamp: number): number {
  const rules = location === undefined ? undefined : { location };
  const from = { kind: 'calendar', intervalMs: null, intervalText: text, firstRun: stamp } as const;
  return timetableOf({ ...from, anchored: false, rules }, 0).firstAtOrAfter(stamp + 1);
}

/** Checks what the schedule says, and works out its end. */
export function finish(schedule: Schedule, since: number, { id }: Pick<Identity, 'id'>): Schedule {
  const { rules } = schedule;
  if (rules === undefined && (schedule.kind === 'interval' || schedule.kind === 'one_off')) return schedule;
  checkSchedule(schedule);
  if (schedule.kind !== 'one_off') checkHasRuns(schedule, since, id);
  const runs = rules?.runsLeft ?? rules?.maxRuns;
  if (rules === undefined || runs === undefined) return schedule;
  const { runsLeft: _left, endsAt: _end, ...asked } = rules;
  const endsAt = endOf({ ...schedule, rules: { ...asked, maxRuns: runs } }, since, id);
  return { ...schedule, rules: endsAt === null ? rules : { ...rules, endsAt } };
}

/** A job that ends at once would be gone before anybody reads it. @throws DalgaError */
function checkHasRuns(schedule: Schedule, since: number, id: number): void {
  const { runsLeft: _left, endsAt: _end, ...rules } = schedule.rules ?? {};
  if (timetableOf({ ...schedule, rules }, id).firstAtOrAfter(since) !== Number.POSITIVE_INFINITY) return;
  const others = rules.notBefore === undefined ? 'exclude' : 'not_before';
  throw invalidParameter(rules.lastRun === undefined ? others : 'last_run', 'leaves no run from now on');
}

/** The rules that a request leaves: null takes one away. What follows from them is not among them. */
function rulesAfter(stored: Rules | undefined, request: ScheduleRequest): Rules | undefined {
  const { runsLeft: _left, endsAt: _end, notBefore: _kept, ...asked } = stored ?? {};
  const rules: Record<string, unknown> = { ...asked };
  for (const name of [...SHAPING, 'misfire', 'misfireAge'] as const) {
    const value = request[name];
    if (value === undefined) continue;
    const isNone = value === null || value === 'once' || (Array.isArray(value) && value.length === 0);
    if (isNone) delete rules[name];
    else rules[name] = value;
  }
  return Object.keys(rules).length === 0 ? undefined : (rules as Rules);
}

/** A change counts the runs that were scheduled until then, unless it says anew how many there are. */
function withRunsLeft(
  rules: Rules | undefined,
  stored: Schedule,
  { maxRuns }: ScheduleRequest,
  since: number,
  stamp: number,
  { id }: Identity,
): Rules | undefined {
  if (rules?.maxRuns === undefined || maxRuns !== undefined) return rules;
  return { ...rules, runsLeft: countRunsLeft(stored, since, stamp, id) };
}

/** How many of its runs a job with max_runs has left at `stamp`. @throws DalgaError when it has none */
function countRunsLeft(stored: Schedule, since: number, stamp: number, id: number): number {
  return checkRunsLeft(runsLeftAt(stored, since, stamp, id));
}

/** The same, 0 when it has none: its last one is not settled yet, or was not when the job was paused. */
export function runsLeftAt(stored: Schedule, since: number, stamp: number, id: number): number {
  const runs = stored.rules?.runsLeft ?? stored.rules?.maxRuns ?? 0;
  return runs - timetableOf(stored, id).count(since, stamp, runs);
}

/** @throws DalgaError when there are none */
export function checkRunsLeft(left: number): number {
  if (left <= 0) throw invalidParameter('max_runs', 'is used up: give the job a new one');
  return left;
}

/** Which missed ones run does not say when the job runs. */
function withMisfire(stored: Schedule, request: Pick<ScheduleRequest, 'misfire' | 'misfireAge'>): Schedule {
  const { runsLeft, endsAt, notBefore } = stored.rules ?? {};
  const others = {
    // 0 too: without it all of max_runs would be left.
    ...(runsLeft !== undefined && { runsLeft }),
    ...(endsAt !== undefined && { endsAt }),
    ...(notBefore !== undefined && { notBefore }),
  };
  const asked = { ...rulesAfter(stored.rules, request), ...others };
  const rules = Object.keys(asked).length === 0 ? undefined : asked;
  return isSame(rules, stored.rules) ? stored : { ...stored, rules };
}

function isEqual(stored: Schedule, request: ScheduleRequest, stamp: number): boolean {
  const { notBefore = stamp } = request;
  if (request.immediate === true || (notBefore > stamp && notBefore !== stored.rules?.notBefore))
    return false;
  if (stored.kind !== kindOf(request)) return false;
  if (stored.kind === 'one_off' && stored.firstRun <= stamp) return false;
  if (stored.kind === 'cron' && stored.cron !== request.cron) return false;
  // In whatever words: 60 and PT1M are one schedule.
  if (stored.intervalMs !== (request.interval?.ms ?? null)) return false;
  if (stored.intervalMs === null && stored.intervalText !== (request.interval?.text ?? null)) return false;
  if (!isSame(shapeOf(rulesAfter(stored.rules, {})), shapeOf(rulesAfter(undefined, request)))) return false;
  if (request.anchored === false) return !stored.anchored && stored.firstRun === request.firstRun;
  return stored.anchored ? stored.firstRun === request.firstRun : request.firstRun === undefined;
}

/** The rules that say when a job runs. */
function shapeOf(rules: Rules = {}): Rules {
  const { misfire: _misfire, misfireAge: _age, ...shape } = rules;
  return shape;
}

/** Whether two schedules of one job have the same times. */
export function haveSameTimes(a: Schedule, b: Schedule): boolean {
  return isSame({ ...a, rules: shapeOf(a.rules) }, { ...b, rules: shapeOf(b.rules) });
}

function kindOf({ oneOff, cron, interval }: ScheduleRequest): Schedule['kind'] {
  if (oneOff === true) return 'one_off';
  if (cron !== undefined) return 'cron';
  return interval?.ms === null ? 'calendar' : 'interval';
}

/** Whether two objects of plain JSON are the same, in whatever order their keys stand. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => {
    return key in b && isSame((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]);
  });
}

function storedInterval(schedule: Schedule): Interval | undefined {
  const { intervalMs, intervalText } = schedule;
  return intervalMs === null && intervalText === null ? undefined : { ms: intervalMs, text: intervalText };
}

function ofStored(parameter: string): DalgaError {
  return invalidParameter(parameter, 'is taken by POST and PATCH, of a job that is stored');
}
