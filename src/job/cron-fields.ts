import { Cron } from 'croner';
import { SharedCache } from './shared-cache.ts';
import { DAY, END_OF_TIME } from './times.ts';

/**
 * The parts of a cron expression, each shared between all expressions that have it: there are few different ones.
 * croner reads and matches them, on dates whose UTC fields are the local time, and knows nothing of zones. Its own
 * objects are not kept: each takes 82 kB.
 */

/** A set of seconds, minutes or hours. */
export type FieldSet = {
  /** Ascending. */
  readonly members: readonly number[];
  /** Beside each number of the field: the smallest member at or after it, -1 when there is none. */
  readonly next: Int8Array;
  /** The greatest member at or before it, -1 when there is none. */
  readonly previous: Int8Array;
  /** How many members are smaller. */
  readonly rank: Int8Array;
};

type Clock = 'second' | 'minute' | 'hour';

const fields = new SharedCache<FieldSet>();

/** @param field without spaces @throws what croner throws for what it cannot read */
export function fieldOf(unit: Clock, field: string): FieldSet {
  return fields.get(`${unit} ${field}`, () => readField(unit, field));
}

function readField(unit: Clock, field: string): FieldSet {
  const size = unit === 'hour' ? 24 : 60;
  const ms = { second: 1000, minute: 60_000, hour: 3_600_000 }[unit];
  const text = { second: `${field} * *`, minute: `* ${field} *`, hour: `* * ${field}` }[unit];
  const cron = new Cron(`${text} * * *`, { utcOffset: 0 });
  const values = Array.from({ length: size }, (_, value) => value);
  const members = values.filter((value) => cron.match(new Date(value * ms)));
  return {
    members,
    next: Int8Array.from(values, (value) => members.find((member) => member >= value) ?? -1),
    previous: Int8Array.from(values, (value) => members.findLast((member) => member <= value) ?? -1),
    rank: Int8Array.from(values, (value) => members.filter((member) => member < value).length),
  };
}

/** How many of croner's objects are kept. */
const MATCHERS = 32;

const matchers = new Map<string, Cron>();

/** Matches the midnights of the days of `day-of-month month day-of-week`. */
function matcher(text: string): Cron {
  const known = matchers.get(text);
  if (known !== undefined) return known;
  const made = new Cron(`0 0 0 ${text}`, { utcOffset: 0 });
  for (const oldest of matchers.keys()) {
    if (matchers.size < MATCHERS) break;
    matchers.delete(oldest);
  }
  matchers.set(text, made);
  return made;
}

/** How many months' days each set keeps. */
const MONTHS = 24;

/** A month, by its days since 1970. */
type Month = {
  readonly start: number;
  readonly end: number;
  /** Bit n for day `start + n`. */
  readonly bits: number;
  /** The first day of the set at or after `end`, and the last before `start`: null if there is none, absent until asked for. */
  next?: number | null;
  previous?: number | null;
};

/** A set of days, which are counted from 1970 on. */
export class DaySet {
  readonly #text: string;
  readonly #every: boolean;
  readonly #months = new Map<number, Month>();
  /** The bits of months by what they depend on: there are 91 kinds. */
  readonly #bits = new Map<number, number>();
  #last: Month | undefined;

  constructor(text: string) {
    this.#text = text;
    matcher(text);
    this.#every = /^[*?] \* [*?]$/.test(text);
  }

  has(day: number): boolean {
    if (this.#every) return true;
    const month = this.#month(day);
    return (month.bits & (1 << (day - month.start))) !== 0;
  }

  /** The first at or after `day`; Infinity when there is none before the year 10000. */
  next(day: number): number {
    if (this.#every) return day;
    if (day * DAY >= END_OF_TIME) return Number.POSITIVE_INFINITY;
    const month = this.#month(day);
    const bits = month.bits & (-1 << (day - month.start));
    if (bits !== 0) return month.start + 31 - Math.clz32(bits & -bits);
    if (month.next === undefined) {
      month.next = dayOf(matcher(this.#text).nextRun(new Date(month.end * DAY - 1000)));
    }
    return month.next ?? Number.POSITIVE_INFINITY;
  }

  /** The last at or before `day`; -Infinity when there is none since 1970. */
  previous(day: number): number {
    if (this.#every) return day;
    if (day < 0) return Number.NEGATIVE_INFINITY;
    const month = this.#month(day);
    const bits = month.bits & (-1 >>> (31 - (day - month.start)));
    if (bits !== 0) return month.start + 31 - Math.clz32(bits);
    if (month.previous === undefined) {
      month.previous = dayOf(matcher(this.#text).previousRuns(1, new Date(month.start * DAY))[0]);
    }
    return month.previous === null || month.previous < 0 ? Number.NEGATIVE_INFINITY : month.previous;
  }

  #month(day: number): Month {
    const last = this.#last;
    if (last !== undefined && day >= last.start && day < last.end) return last;
    const date = new Date(day * DAY);
    const key = date.getUTCFullYear() * 12 + date.getUTCMonth();
    let month = this.#months.get(key);
    if (month === undefined) {
      month = this.#read(date);
      if (this.#months.size >= MONTHS) this.#months.clear();
      this.#months.set(key, month);
    }
    this.#last = month;
    return month;
  }

  #read(date: Date): Month {
    const start = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) / DAY;
    const end = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / DAY;
    // Which month it is, on which day of the week it begins, and how long it is. 1 January 1970 was a Thursday.
    const kind = (date.getUTCMonth() * 7 + ((((start + 4) % 7) + 7) % 7)) * 32 + (end - start);
    let bits = this.#bits.get(kind);
    if (bits === undefined) {
      bits = this.#match(start, end);
      this.#bits.set(kind, bits);
    }
    return { start, end, bits };
  }

  #match(start: number, end: number): number {
    const cron = matcher(this.#text);
    let bits = 0;
    for (let day = start; day < end; day++) {
      if (cron.match(new Date(day * DAY))) bits |= 1 << (day - start);
    }
    return bits;
  }
}

function dayOf(date: Date | null | undefined): number | null {
  return date === null || date === undefined ? null : date.getTime() / DAY;
}

const daySets = new SharedCache<DaySet>();

/** The days of `day-of-month month day-of-week`. @throws what croner throws for what it cannot read */
export function daysOf(text: string): DaySet {
  return daySets.get(text, () => new DaySet(text));
}
