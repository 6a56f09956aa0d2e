/**
 * A timetable: all the times at which one job runs, Unix ms, strictly increasing. Its answers depend on nothing but its
 * schedule and the argument, so that whoever asks at whatever moment is told the same times.
 */
export type Timetable = {
  /** The first scheduled time at or after `time`, Unix ms; Infinity when there is none. */
  firstAtOrAfter(time: number): number;
  /** The last scheduled time at or before `time`; -Infinity when there is none. */
  lastAtOrBefore(time: number): number;
  /** How many lie in [from, until), counted no further than `limit`. */
  count(from: number, until: number, limit: number): number;
};

/** ms. */
export const DAY = 86_400_000;

/** Where local calendars end, since RFC 3339 does: the start of the year 10000, Unix ms. They begin with 1970. */
export const END_OF_TIME = Date.UTC(10000, 0, 1);

/**
 * ms, a hundred years: a timetable has ended where nothing comes for as long as this. It bounds the search where
 * exclusions leave nothing.
 */
export const HORIZON = 100 * 365.25 * DAY;

/** firstRun + k * intervalMs, k >= 0. */
export class IntervalTimes implements Timetable {
  readonly #firstRun: number;
  readonly #intervalMs: number;

  constructor(firstRun: number, intervalMs: number) {
    this.#firstRun = firstRun;
    this.#intervalMs = intervalMs;
  }

  firstAtOrAfter(time: number): number {
    if (time <= this.#firstRun) return this.#firstRun;
    return this.#firstRun + this.#index(time) * this.#intervalMs;
  }

  lastAtOrBefore(time: number): number {
    if (time < this.#firstRun) return Number.NEGATIVE_INFINITY;
    return this.#firstRun + Math.floor((time - this.#firstRun) / this.#intervalMs) * this.#intervalMs;
  }

  count(from: number, until: number, limit: number): number {
    if (until <= from) return 0;
    return Math.min(limit, this.#index(until) - this.#index(from));
  }

  /** How many times lie before `time`. */
  #index(time: number): number {
    return Math.max(0, Math.ceil((time - this.#firstRun) / this.#intervalMs));
  }
}

/** One time. */
export class OnceTimes implements Timetable {
  readonly #time: number;

  constructor(time: number) {
    this.#time = time;
  }

  firstAtOrAfter(time: number): number {
    return time <= this.#time ? this.#time : Number.POSITIVE_INFINITY;
  }

  lastAtOrBefore(time: number): number {
    return time >= this.#time ? this.#time : Number.NEGATIVE_INFINITY;
  }

  count(from: number, until: number, limit: number): number {
    return from <= this.#time && this.#time < until ? Math.min(limit, 1) : 0;
  }
}

/** What of a timetable lies from `first` to `last`, both included. */
export class TimesWithin implements Timetable {
  readonly #times: Timetable;
  readonly #first: number;
  readonly #last: number;

  constructor(times: Timetable, first: number, last: number) {
    this.#times = times;
    this.#first = first;
    this.#last = last;
  }

  firstAtOrAfter(time: number): number {
    if (time > this.#last) return Number.POSITIVE_INFINITY;
    const first = this.#times.firstAtOrAfter(Math.max(time, this.#first));
    return first > this.#last ? Number.POSITIVE_INFINITY : first;
  }

  lastAtOrBefore(time: number): number {
    if (time < this.#first) return Number.NEGATIVE_INFINITY;
    const last = this.#times.lastAtOrBefore(Math.min(time, this.#last));
    return last < this.#first ? Number.NEGATIVE_INFINITY : last;
  }

  count(from: number, until: number, limit: number): number {
    // Times are whole ms, so that the last one is before the ms after it.
    return this.#times.count(Math.max(from, this.#first), Math.min(until, this.#last + 1), limit);
  }
}

/** Counts by stepping: for the kinds whose times follow no arithmetic. At most `limit` steps. */
export function countBySteps(times: Timetable, from: number, until: number, limit: number): number {
  let count = 0;
  let time = times.firstAtOrAfter(from);
  while (time < until && count < limit) {
    count++;
    time = times.firstAtOrAfter(time + 1);
  }
  return count;
}
