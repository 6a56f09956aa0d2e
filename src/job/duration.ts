import { DAY } from './times.ts';

/** An ISO 8601 duration. */
export type Duration = {
  /** Years count as twelve. */
  readonly months: number;
  /** Weeks count as seven. */
  readonly days: number;
  /** The hours, minutes and seconds, in ms. */
  readonly ms: number;
};

const DURATION =
  /^P(?=\d|T)(?:(\d{1,10})Y)?(?:(\d{1,10})M)?(?:(\d{1,10})W)?(?:(\d{1,10})D)?(?:T(?=\d)(?:(\d{1,10})H)?(?:(\d{1,10})M)?(?:(\d{1,10})S)?)?$/;

/** A duration of whole numbers without a sign, null if the text is none. */
export function parseDuration(text: string): Duration | null {
  const match = DURATION.exec(text);
  if (match === null) return null;
  const [years, months, weeks, days, hours, minutes, seconds] = match
    .slice(1)
    .map((part) => Number(part ?? 0));
  return {
    months: years! * 12 + months!,
    days: weeks! * 7 + days!,
    ms: ((hours! * 60 + minutes!) * 60 + seconds!) * 1000,
  };
}

/** Whether its length depends on the calendar: any that names a year, month, week or day. */
export function isCalendar({ months, days }: Duration): boolean {
  return months > 0 || days > 0;
}

/** The shortest that it can last, ms: a year has 365 days, a month 28. */
export function shortestLength({ months, days, ms }: Duration): number {
  return (Math.floor(months / 12) * 365 + (months % 12) * 28 + days) * DAY + ms;
}

/** How long it lasts on average over the 400 years after which the calendar repeats, ms. */
export function averageLength({ months, days, ms }: Duration): number {
  return (months * (146_097 / 4800) + days) * DAY + ms;
}

/**
 * `local` + k times the duration, on a clock that never changes: first the months, in one step and cut to the last day
 * of the month that they lead to, then days and time (as in java.time, Luxon and Temporal).
 *
 * @param local local time in the years 1970 to 9999, as Unix ms
 * @returns NaN where the dates of JavaScript end
 */
export function addTimes(local: number, k: number, { months, days, ms }: Duration): number {
  const rest = k * (days * DAY + ms);
  if (months === 0) return local + rest;
  const date = new Date(local);
  const month = date.getUTCMonth() + k * months;
  const year = date.getUTCFullYear() + Math.floor(month / 12);
  const monthOfYear = ((month % 12) + 12) % 12;
  // Day 0 of the next month is the last of this one.
  const length = new Date(Date.UTC(year, monthOfYear + 1, 0)).getUTCDate();
  const day = Math.min(date.getUTCDate(), length);
  return Date.UTC(year, monthOfYear, day) + (((local % DAY) + DAY) % DAY) + rest;
}
