import { DalgaError } from '../errors.ts';
import type { JobRow, Schedule } from './job.ts';
import { INTERVAL_LIMIT } from './job.ts';

/** The interval of a request, after parsing. */
export type Interval = {
  /** ms; a whole number of seconds, 1 to 4294967295 of them. */
  readonly ms: number;
  /** The ISO 8601 duration as the client gave it; null for a number of seconds. */
  readonly text: string | null;
};

/** The schedule parameters that a request named; undefined where it named none. Times in Unix ms. */
export type ScheduleRequest = {
  readonly interval?: Interval | undefined;
  readonly firstRun?: number | undefined;
  readonly oneOff?: boolean | undefined;
  readonly immediate?: boolean | undefined;
  /**
   * False: `firstRun` is a phase that Dalga chose, and not one that the client asked for; then a later PUT without
   * it keeps the phase. What an export tells, so that an import makes the same job.
   */
  readonly anchored?: false | undefined;
};

/** Refuses a PUT whose parameters do not make a schedule. A rule here does not depend on what is stored. */
export function checkPut(request: ScheduleRequest): void {
  checkCombination(request);
  if (request.oneOff === true) {
    if (request.interval === undefined && request.firstRun === undefined && request.immediate !== true) {
      throw invalid(
        'first_run',
        'is required for a one_off job, or an interval as its delay, or immediate=true',
      );
    }
  } else if (request.interval === undefined) {
    throw invalid('interval', `is required: 1 to ${INTERVAL_LIMIT} seconds, or an ISO 8601 duration`);
  }
}

/** Refuses combinations that have no meaning in PUT or POST. */
export function checkCombination(request: ScheduleRequest): void {
  if (request.immediate === true && request.firstRun !== undefined) {
    throw invalid('first_run', 'and immediate=true exclude each other');
  }
  const both = request.interval !== undefined && request.firstRun !== undefined;
  if (request.oneOff === true && both && request.anchored === undefined) {
    throw invalid('first_run', 'and interval exclude each other for a one_off job: both say when it runs');
  }
}

/**
 * The schedule that a PUT asks for, or the stored one itself when it is equal to it, so that a service which
 * registers its jobs at every deploy keeps their phases, and the words in which their interval was first given.
 * What runs at once, and a one-off whose time has come, are never equal to what is stored.
 */
export function planPut(stored: Schedule | undefined, request: ScheduleRequest, stamp: number): Schedule {
  if (stored !== undefined && isEqual(stored, request, stamp)) return stored;
  return plan(request.oneOff === true, request, stamp);
}

/**
 * The schedule after a POST: planned anew from the stamp when the request names interval, first_run, one_off or
 * immediate, even with the same value; else the stored one itself.
 *
 * @throws DalgaError when a one-off is to become a recurring job and no interval is known
 */
export function planPost(stored: Schedule, request: ScheduleRequest, stamp: number): Schedule {
  const named = request.interval ?? request.firstRun ?? request.oneOff;
  if (named === undefined && request.immediate !== true) return stored;
  const oneOff = request.oneOff ?? stored.kind === 'one_off';
  const timed = request.firstRun !== undefined || request.immediate === true;
  const interval = request.interval ?? (oneOff && timed ? undefined : storedInterval(stored));
  if (interval === undefined && !(oneOff && timed)) {
    throw invalid('interval', 'is required: the stored job has none');
  }
  return plan(oneOff, { ...request, interval }, stamp);
}

function plan(oneOff: boolean, request: ScheduleRequest, stamp: number): Schedule {
  const { interval, firstRun } = request;
  const anchored = firstRun !== undefined && request.anchored === undefined;
  const start = request.immediate === true ? stamp : (firstRun ?? stamp + (interval?.ms ?? 0));
  if (oneOff) {
    return {
      kind: 'one_off',
      intervalMs: interval?.ms ?? null,
      intervalText: interval?.text ?? null,
      // A time that is past runs with the stamp as its scheduled time.
      firstRun: Math.max(start, stamp),
      anchored,
    };
  }
  if (interval === undefined) throw invalid('interval', 'is required');
  return {
    kind: 'interval',
    intervalMs: interval.ms,
    intervalText: interval.text,
    firstRun: start,
    anchored,
  };
}

function isEqual(stored: Schedule, request: ScheduleRequest, stamp: number): boolean {
  if (request.immediate === true) return false;
  if ((stored.kind === 'one_off') !== (request.oneOff === true)) return false;
  if (stored.kind === 'one_off' && stored.firstRun <= stamp) return false;
  // In whatever words: every duration there is has a fixed length, so that 60 and PT1M are one schedule.
  if (stored.intervalMs !== (request.interval?.ms ?? null)) return false;
  if (request.anchored === false) return !stored.anchored && stored.firstRun === request.firstRun;
  return stored.anchored ? stored.firstRun === request.firstRun : request.firstRun === undefined;
}

function storedInterval(schedule: Schedule): Interval | undefined {
  return schedule.intervalMs === null ? undefined : { ms: schedule.intervalMs, text: schedule.intervalText };
}

/** The row after `schedule` was planned for it: the same row when nothing changed. */
export function withSchedule(row: JobRow, schedule: Schedule, stamp: number): JobRow {
  return schedule === row.schedule ? row : { ...row, schedule, since: stamp, version: row.version + 1 };
}

function invalid(parameter: string, rule: string): DalgaError {
  return new DalgaError('invalid_parameter', `${parameter} ${rule}`, { parameter });
}
