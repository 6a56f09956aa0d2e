import { DalgaError } from '../errors.ts';
import { CronPattern } from './cron.ts';
import { ALL_FREE, DayMask, NONE_FREE } from './day-mask.ts';
import { SharedCache } from './shared-cache.ts';
import { DAY } from './times.ts';

/** How many entries a list has at most. */
export const EXCLUDE_LIMIT = 100;

/** How many days' masks are kept, and how many masks, which days share. */
const DAYS = 512;
const MASKS = 64;

/** A range of days, counted from 1970 on; both are in it. */
type Days = { readonly first: number; readonly last: number };

const DATES = /^(\d{4}-\d\d-\d\d)(?:\/(\d{4}-\d\d-\d\d))?$/;

/**
 * The local times that a list excludes: dates (2026-12-25), ranges of dates (2026-12-24/2026-12-31, both included), and
 * cron expressions: of five fields the whole minutes, of six the seconds. What is excluded of a day is a mask, since an
 * hour of excluded seconds is then one jump; all the days to which the same expressions apply share it.
 */
export class Exclusion {
  /** Ascending, and apart from each other. */
  readonly #dates: readonly Days[];
  readonly #crons: readonly CronPattern[];
  readonly #unit: 1 | 60;
  /** Beside the expressions, what each leaves free of a day that it has; absent until asked for. */
  readonly #single: DayMask[] = [];
  /** What is free where several have the day, by their indexes. */
  readonly #masks = new Map<string, DayMask>();
  readonly #days = new Map<number, DayMask>();

  /** @throws DalgaError invalid_parameter */
  constructor(entries: readonly string[]) {
    if (entries.length > EXCLUDE_LIMIT) throw invalid(`must have at most ${EXCLUDE_LIMIT} entries`);
    this.#dates = merge(entries.filter(isDates).map(parseDates));
    this.#crons = entries.filter((entry) => !isDates(entry)).map(parseCron);
    this.#unit = this.#crons.some(({ hasSeconds }) => hasSeconds) ? 1 : 60;
  }

  /** @param day counted from 1970 on */
  maskOf(day: number): DayMask {
    let mask = this.#days.get(day);
    if (mask === undefined) {
      mask = this.#find(day);
      if (this.#days.size >= DAYS) this.#days.clear();
      this.#days.set(day, mask);
    }
    return mask;
  }

  /** The first day after `day` that the same range of dates does not exclude. */
  dayAfter(day: number): number {
    return (this.#rangeOf(day)?.last ?? day) + 1;
  }

  /** The last day before `day` that the same range of dates does not exclude. */
  dayBefore(day: number): number {
    return (this.#rangeOf(day)?.first ?? day) - 1;
  }

  #find(day: number): DayMask {
    if (this.#rangeOf(day) !== undefined) return NONE_FREE;
    const indexes = [...this.#crons.keys()].filter((index) => this.#crons[index]!.hasDay(day));
    if (indexes.length === 0) return ALL_FREE;
    if (indexes.length === 1) return this.#without(indexes[0]!);
    const key = indexes.join();
    let mask = this.#masks.get(key);
    if (mask === undefined) {
      mask = DayMask.common(indexes.map((index) => this.#without(index)));
      if (this.#masks.size >= MASKS) this.#masks.clear();
      this.#masks.set(key, mask);
    }
    return mask;
  }

  #without(index: number): DayMask {
    this.#single[index] ??= DayMask.without(this.#crons[index]!, this.#unit);
    return this.#single[index];
  }

  #rangeOf(day: number): Days | undefined {
    let low = 0;
    let high = this.#dates.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#dates[middle]!.last < day) low = middle + 1;
      else high = middle;
    }
    const range = this.#dates[low];
    return range !== undefined && range.first <= day ? range : undefined;
  }
}

const exclusions = new SharedCache<Exclusion>();

/** The list's exclusion, shared. @throws DalgaError invalid_parameter */
export function exclusionOf(entries: readonly string[]): Exclusion {
  return exclusions.get(JSON.stringify(entries), () => new Exclusion(entries));
}

function isDates(entry: string): boolean {
  return /^\d{4}-/.test(entry);
}

function parseDates(entry: string): Days {
  const match = DATES.exec(entry);
  const first = parseDate(match?.[1]);
  const last = match?.[2] === undefined ? first : parseDate(match[2]);
  if (first === null || last === null) {
    throw invalid(
      `has a wrong date or range of dates: ${quote(entry)}; right are 2026-12-25, 2026-12-24/2026-12-31`,
    );
  }
  if (last < first) throw invalid(`has a range of dates that ends before it begins: ${quote(entry)}`);
  return { first, last };
}

/** Days since 1970; null for what is no date. */
function parseDate(text: string | undefined): number | null {
  const time = Date.parse(`${text}T00:00:00Z`);
  // Date.parse takes 30 February for 1 or 2 March.
  return Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== text ? null : time / DAY;
}

function parseCron(entry: string): CronPattern {
  // A single word is no cron expression that somebody got wrong.
  if (!/[ \t@]/.test(entry.trim())) {
    throw invalid(
      `has ${quote(entry)}, which is neither a date (2026-12-25), nor a range of dates (2026-12-24/2026-12-31), nor a cron expression`,
    );
  }
  return new CronPattern(entry, 'exclude', '*');
}

function merge(ranges: readonly Days[]): Days[] {
  const merged: Days[] = [];
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    const before = merged.at(-1);
    if (before === undefined || range.first > before.last + 1) merged.push(range);
    else merged[merged.length - 1] = { first: before.first, last: Math.max(before.last, range.last) };
  }
  return merged;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

function invalid(rule: string): DalgaError {
  return new DalgaError('invalid_parameter', `exclude ${rule}`, { parameter: 'exclude' });
}
