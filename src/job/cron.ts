import { type DalgaError, invalidParameter } from '../errors.ts';
import { type DaySet, daysOf, type FieldSet, fieldOf } from './cron-fields.ts';
import type { ClockChanges, LocalPattern } from './local-times.ts';
import { SharedCache } from './shared-cache.ts';
import { DAY } from './times.ts';

/** Characters; a list of all minutes has 169. */
const CRON_LIMIT = 500;

/** A map, since an object has more names than its own: constructor, toString. */
const NICKNAMES: ReadonlyMap<string, string> = new Map([
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
  ['@monthly', '0 0 1 * *'],
  ['@weekly', '0 0 * * 0'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@hourly', '0 * * * *'],
]);

const NUMBER = String.raw`\d{1,2}`;
const MONTH = `(?:${NUMBER}|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)`;
const WEEKDAY = '(?:[0-7]|sun|mon|tue|wed|thu|fri|sat)';

/** A list of wildcards and ranges with or without a step, and values; `also` is what else may stand in it. */
function listOf(value: string, also = ''): string {
  const item = `(?:\\*(?:/${NUMBER})?|${value}(?:-${value}(?:/${NUMBER})?)?${also})`;
  return `${item}(?:,${item})*`;
}

type Field = { readonly name: string; readonly shape: RegExp; readonly rule: string };

/** The shapes that are documented; croner, which judges the numbers, takes more. */
const FIELDS: readonly Field[] = [
  { name: 'second', shape: new RegExp(`^${listOf(NUMBER)}$`), rule: '0 to 59' },
  { name: 'minute', shape: new RegExp(`^${listOf(NUMBER)}$`), rule: '0 to 59' },
  { name: 'hour', shape: new RegExp(`^${listOf(NUMBER)}$`), rule: '0 to 23' },
  {
    name: 'day of month',
    shape: new RegExp(`^(?:\\?|LW|${listOf(NUMBER, `|${NUMBER}W|L`)})$`, 'i'),
    rule: '1 to 31, L, LW, 15W, ?',
  },
  { name: 'month', shape: new RegExp(`^${listOf(MONTH)}$`, 'i'), rule: '1 to 12, JAN to DEC' },
  {
    name: 'day of week',
    shape: new RegExp(`^(?:\\?|${listOf(WEEKDAY, `|${WEEKDAY}(?:#?L|#[1-5])`)})$`, 'i'),
    rule: '0 to 7, SUN to SAT, MON#2, 5L, ?',
  },
];
/** The first of the three that tell the days. */
const DATE = 3;

/**
 * A cron expression: five fields (minute, hour, day of month, month, day of week), six with the second before them, or
 * a nickname. Where both day of month and day of week are restricted, a day that fits either one is in it, as in
 * crontab(5); only `*` and `?` by themselves are no restriction (in Vixie cron also what begins with `*`).
 */
export class CronPattern implements LocalPattern {
  readonly #days: DaySet;
  readonly #hours: FieldSet;
  readonly #minutes: FieldSet;
  readonly #seconds: FieldSet;
  /** Whether its second field was given. */
  readonly hasSeconds: boolean;
  /**
   * What becomes of its times at changes of the clock where the job does not say so, as in Vixie cron: a wildcard in
   * the hour field means "every hour (or n hours)", by elapsed time, and anything else a time of the day, which is to
   * come once on each.
   */
  readonly changes: ClockChanges;

  /**
   * @param parameter what the message names
   * @param seconds the second field where there is none: `*` where whole minutes are meant
   * @throws DalgaError invalid_parameter
   */
  constructor(text: string, parameter = 'cron', seconds: '0' | '*' = '0') {
    const fields = fieldsOf(text, parameter);
    this.hasSeconds = fields.length === 6;
    if (!this.hasSeconds) fields.unshift(seconds);
    for (const [index, { shape }] of FIELDS.entries()) {
      if (!shape.test(fields[index]!)) throw wrong(parameter, index, fields[index]!);
    }
    const [second, minute, hour, ...date] = fields as [string, string, string, string, string, string];
    this.#seconds = read(parameter, 0, second, (field) => fieldOf('second', field));
    this.#minutes = read(parameter, 1, minute, (field) => fieldOf('minute', field));
    this.#hours = read(parameter, 2, hour, (field) => fieldOf('hour', field));
    this.#days = readDays(parameter, date);
    if (this.#days.next(0) === Number.POSITIVE_INFINITY) {
      throw invalidParameter(parameter, `never fires: no year has a day ${JSON.stringify(date.join(' '))}`);
    }
    this.changes = hour.startsWith('*') ? { gap: 'skip', overlap: 'both' } : { gap: 'run', overlap: 'first' };
  }

  next(local: number): number {
    const second = Math.ceil(local / 1000);
    const day = Math.floor(second / 86_400);
    if (this.#days.has(day)) {
      const next = this.nextOfDay(second - day * 86_400);
      if (next >= 0) return day * DAY + next * 1000;
    }
    return this.#days.next(day + 1) * DAY + this.nextOfDay(0) * 1000;
  }

  previous(local: number): number {
    const second = Math.floor(local / 1000);
    const day = Math.floor(second / 86_400);
    if (day >= 0 && this.#days.has(day)) {
      const previous = this.previousOfDay(second - day * 86_400);
      if (previous >= 0) return day * DAY + previous * 1000;
    }
    return this.#days.previous(day - 1) * DAY + this.previousOfDay(86_399) * 1000;
  }

  /** Counts by whole days, so that it takes a step for each day of the pattern, and as many as fill `limit`. */
  count(from: number, until: number, limit: number): number {
    // Times are whole ms, and a clock is not.
    const last = Math.floor((Math.ceil(until) - 1) / DAY);
    let day = this.#days.next(Math.floor(from / DAY));
    let count = 0;
    while (day <= last && count < limit) {
      count += this.#before(until - day * DAY) - this.#before(from - day * DAY);
      day = this.#days.next(day + 1);
    }
    return Math.min(count, limit);
  }

  /** Whether it has a day since 1970. */
  hasDay(day: number): boolean {
    return this.#days.has(day);
  }

  /** Its first second of the day at or after `second`, on a day that it has; -1 when there is none. */
  nextOfDay(second: number): number {
    const hour = Math.floor(second / 3600);
    const minute = Math.floor(second / 60) % 60;
    if (this.#hours.next[hour] === hour) {
      if (this.#minutes.next[minute] === minute) {
        const next = this.#seconds.next[second % 60]!;
        if (next >= 0) return second - (second % 60) + next;
      }
      const next = minute === 59 ? -1 : this.#minutes.next[minute + 1]!;
      if (next >= 0) return hour * 3600 + next * 60 + this.#seconds.members[0]!;
    }
    const next = hour === 23 ? -1 : this.#hours.next[hour + 1]!;
    return next < 0 ? -1 : next * 3600 + this.#minutes.members[0]! * 60 + this.#seconds.members[0]!;
  }

  /** Its last second of the day at or before `second`, on a day that it has; -1 when there is none. */
  previousOfDay(second: number): number {
    const hour = Math.floor(second / 3600);
    const minute = Math.floor(second / 60) % 60;
    if (this.#hours.previous[hour] === hour) {
      if (this.#minutes.previous[minute] === minute) {
        const previous = this.#seconds.previous[second % 60]!;
        if (previous >= 0) return second - (second % 60) + previous;
      }
      const previous = minute === 0 ? -1 : this.#minutes.previous[minute - 1]!;
      if (previous >= 0) return hour * 3600 + previous * 60 + this.#seconds.members.at(-1)!;
    }
    const previous = hour === 0 ? -1 : this.#hours.previous[hour - 1]!;
    if (previous < 0) return -1;
    return previous * 3600 + this.#minutes.members.at(-1)! * 60 + this.#seconds.members.at(-1)!;
  }

  /** How many of its times of the day lie before `ms` of it. */
  #before(ms: number): number {
    const inMinute = this.#seconds.members.length;
    const inHour = this.#minutes.members.length * inMinute;
    const second = Math.ceil(ms / 1000);
    if (second <= 0) return 0;
    if (second >= 86_400) return this.#hours.members.length * inHour;
    const hour = Math.floor(second / 3600);
    const minute = Math.floor(second / 60) % 60;
    let count = this.#hours.rank[hour]! * inHour;
    if (this.#hours.next[hour] !== hour) return count;
    count += this.#minutes.rank[minute]! * inMinute;
    return this.#minutes.next[minute] === minute ? count + this.#seconds.rank[second % 60]! : count;
  }
}

const patterns = new SharedCache<CronPattern>();

/** The expression's pattern, shared. @throws DalgaError invalid_parameter */
export function cronOf(text: string): CronPattern {
  return patterns.get(text, () => new CronPattern(text));
}

function fieldsOf(text: string, parameter: string): string[] {
  // First of all: the pattern for the spaces takes time that grows with the square of their number.
  if (text.length > CRON_LIMIT)
    throw invalidParameter(parameter, `must have at most ${CRON_LIMIT} characters`);
  const trimmed = text.replace(/^[ \t]+|[ \t]+$/g, '');
  const fields = (NICKNAMES.get(trimmed.toLowerCase()) ?? trimmed).split(/[ \t]+/);
  if (trimmed.startsWith('@') && fields.length === 1) {
    throw invalidParameter(
      parameter,
      `must be a cron expression or one of ${[...NICKNAMES.keys()].join(', ')}`,
    );
  }
  if (fields.length !== 5 && fields.length !== 6) {
    const rule =
      'must have five fields (minute, hour, day of month, month, day of week), or six with the second before them';
    // What splits nothing finds one field, which is none.
    throw invalidParameter(parameter, `${rule}, and has ${trimmed === '' ? 0 : fields.length}`);
  }
  return fields;
}

function read<T>(parameter: string, index: number, field: string, reader: (field: string) => T): T {
  try {
    return reader(field);
  } catch {
    throw wrong(parameter, index, field);
  }
}

function readDays(parameter: string, date: readonly string[]): DaySet {
  try {
    return daysOf(date.join(' ').toUpperCase());
  } catch (error) {
    // Each by itself: croner does not say which it is.
    for (const [place, field] of date.entries()) {
      const alone = date.map((_, other) => (other === place ? field.toUpperCase() : '*')).join(' ');
      read(parameter, DATE + place, field, () => daysOf(alone));
    }
    throw error;
  }
}

function wrong(parameter: string, index: number, field: string): DalgaError {
  const { name, rule } = FIELDS[index]!;
  const right = `${rule}, *, and lists, ranges and steps of them`;
  return invalidParameter(parameter, `has a wrong ${name}: ${JSON.stringify(field)}; right are ${right}`);
}
