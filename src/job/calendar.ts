import { addTimes, averageLength, type Duration } from './duration.ts';
import { type ClockChanges, type LocalPattern, LocalTimes } from './local-times.ts';
import { DAY, END_OF_TIME, type Timetable } from './times.ts';
import type { Zone } from './zone.ts';

/** The end of all local times, ms: no zone is a day behind UTC. */
const END = END_OF_TIME + DAY;

/** start + k times a duration, k >= 0, on a clock that never changes. */
class CalendarPattern implements LocalPattern {
  readonly #start: number;
  readonly #duration: Duration;

  constructor(start: number, duration: Duration) {
    this.#start = start;
    this.#duration = duration;
  }

  next(local: number): number {
    return local >= END ? Number.POSITIVE_INFINITY : this.#at(this.#index(local));
  }

  previous(local: number): number {
    if (local < this.#start) return Number.NEGATIVE_INFINITY;
    // Times are whole ms, and a clock is not.
    return this.#at(this.#index(Math.floor(Math.min(local, END)) + 1) - 1);
  }

  count(from: number, until: number, limit: number): number {
    if (until <= from) return 0;
    return Math.min(limit, this.#index(Math.min(until, END)) - this.#index(Math.min(from, END)));
  }

  /** How many times lie before `local`: estimated, then corrected, by few steps since months differ by few days. */
  #index(local: number): number {
    if (local <= this.#start) return 0;
    let index = Math.floor((local - this.#start) / averageLength(this.#duration));
    while (index > 0 && this.#at(index - 1) >= local) index--;
    while (this.#at(index) < local) index++;
    return index;
  }

  #at(index: number): number {
    return addTimes(this.#start, index, this.#duration);
  }
}

/**
 * A calendar interval: firstRun + k times a duration with years, months, weeks or days, on the calendar and the clock
 * of a zone. Each occurrence is computed from firstRun itself, so that one month after another from 31 January is
 * 28 February, 31 March, 30 April. Hours, minutes and seconds of the duration count on the same clock, so that
 * P1DT12H alternates between two local times throughout the year.
 */
export class CalendarTimes implements Timetable {
  readonly #firstRun: number;
  readonly #later: LocalTimes;

  constructor(firstRun: number, duration: Duration, zone: Zone, changes: ClockChanges) {
    this.#firstRun = firstRun;
    const start = firstRun + zone.segmentAt(firstRun).offset;
    this.#later = new LocalTimes(new CalendarPattern(start, duration), zone, changes);
  }

  firstAtOrAfter(time: number): number {
    // firstRun is an instant: where its local time comes twice, it need not be the first of the two.
    return time <= this.#firstRun ? this.#firstRun : this.#later.firstAtOrAfter(time);
  }

  lastAtOrBefore(time: number): number {
    if (time < this.#firstRun) return Number.NEGATIVE_INFINITY;
    return Math.max(this.#firstRun, this.#later.lastAtOrBefore(time));
  }

  count(from: number, until: number, limit: number): number {
    if (limit <= 0) return 0;
    const first = from <= this.#firstRun && this.#firstRun < until ? 1 : 0;
    return first + this.#later.count(Math.max(from, this.#firstRun + 1), until, limit - first);
  }
}
