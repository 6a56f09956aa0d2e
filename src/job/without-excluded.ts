import { type DayMask, NONE_FREE } from './day-mask.ts';
import type { Exclusion } from './exclusion.ts';
import { countBySteps, DAY, END_OF_TIME, HORIZON, type Timetable } from './times.ts';
import type { Segment, Zone } from './zone.ts';

/** After how many jumps in one day it is noted that the day has nothing. */
const MANY = 16;

/** How many notes are kept. */
const NOTES = 10_000;

/**
 * What of a timetable is not excluded. It jumps from what is excluded to the end of the stretch (of seconds, or days)
 * that it is in, and there asks the timetable for its next time; and the other way round.
 */
export class WithoutExcluded implements Timetable {
  readonly #times: Timetable;
  readonly #exclusion: Exclusion;
  readonly #zone: Zone;
  #forward: Notes | undefined;
  #backward: Notes | undefined;

  constructor(times: Timetable, exclusion: Exclusion, zone: Zone) {
    this.#times = times;
    this.#exclusion = exclusion;
    this.#zone = zone;
  }

  firstAtOrAfter(time: number): number {
    let first = this.#times.firstAtOrAfter(Math.max(0, time));
    const end = Math.min(END_OF_TIME, first + HORIZON);
    let entry = first;
    let jumps = 0;
    let within: Segment | undefined;
    while (first < end) {
      const segment = this.#zone.segmentAt(first);
      // A note is of one segment: of what its first day has before it, nothing was searched.
      if (segment !== within) {
        within = segment;
        entry = first;
        jumps = 0;
      }
      const { offset, until } = segment;
      const local = first + offset;
      const day = Math.floor(local / DAY);
      const mask = this.#exclusion.maskOf(day);
      const second = Math.floor((local - day * DAY) / 1000);
      if (mask.isFree(second)) return first;
      const whole = (day + 1) * DAY - offset <= until;
      let free = day * DAY + mask.nextFree(second) * 1000;
      if (mask === NONE_FREE) free = this.#exclusion.dayAfter(day) * DAY;
      else if (whole && this.#forward?.has(mask, local - day * DAY) === true) free = (day + 1) * DAY;
      const next = this.#times.firstAtOrAfter(Math.min(free - offset, until));
      jumps++;
      if (next + offset >= (day + 1) * DAY) {
        if (jumps > MANY && whole) {
          this.#forward ??= new Notes();
          this.#forward.add(mask, entry + offset - day * DAY);
        }
        entry = next;
        jumps = 0;
      }
      first = next;
    }
    return Number.POSITIVE_INFINITY;
  }

  lastAtOrBefore(time: number): number {
    let last = this.#times.lastAtOrBefore(Math.min(time, END_OF_TIME - 1));
    const end = Math.max(0, last - HORIZON);
    let entry = last;
    let jumps = 0;
    let within: Segment | undefined;
    while (last >= end) {
      const segment = this.#zone.segmentAt(last);
      if (segment !== within) {
        within = segment;
        entry = last;
        jumps = 0;
      }
      const { offset, from } = segment;
      const local = last + offset;
      const day = Math.floor(local / DAY);
      const mask = this.#exclusion.maskOf(day);
      const second = Math.floor((local - day * DAY) / 1000);
      if (mask.isFree(second)) return last;
      const whole = day * DAY - offset >= from + DAY;
      // The last ms of the second that is free.
      let free = day * DAY + mask.previousFree(second) * 1000 + 999;
      if (mask === NONE_FREE) free = (this.#exclusion.dayBefore(day) + 1) * DAY - 1;
      else if (free < day * DAY || (whole && this.#backward?.has(mask, local - day * DAY) === true))
        free = day * DAY - 1;
      const previous = this.#times.lastAtOrBefore(Math.max(free - offset, from - 1));
      jumps++;
      if (previous + offset < day * DAY) {
        if (jumps > MANY && whole) {
          this.#backward ??= new Notes();
          this.#backward.add(mask, entry + offset - day * DAY);
        }
        entry = previous;
        jumps = 0;
      }
      last = previous;
    }
    return Number.NEGATIVE_INFINITY;
  }

  count(from: number, until: number, limit: number): number {
    return countBySteps(this, from, until, limit);
  }
}

/**
 * Days on which a search found nothing, by their mask and the time of day, in ms, at which it began. The times that
 * follow in the day are the same on all such days, whether of an interval or of a cron expression, since no change of
 * the clock comes between. A timetable of every second with every odd one excluded is then searched on one day, and
 * not on each.
 */
class Notes {
  readonly #days = new WeakMap<DayMask, Set<number>>();

  has(mask: DayMask, ofDay: number): boolean {
    return this.#days.get(mask)?.has(ofDay) === true;
  }

  add(mask: DayMask, ofDay: number): void {
    const known = this.#days.get(mask) ?? new Set();
    if (known.size >= NOTES) known.clear();
    this.#days.set(mask, known.add(ofDay));
  }
}
