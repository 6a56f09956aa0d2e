import { DalgaError } from '../errors.ts';
import { INTERVAL_LIMIT } from './job.ts';
import type { Interval } from './plan.ts';

/**
 * ISO 8601 durations of an exact length: hours, minutes and seconds. The length of years, months, weeks and days
 * depends on the calendar and the time zone.
 */
const DURATION = /^PT(?=\d)(?:(\d{1,10})H)?(?:(\d{1,10})M)?(?:(\d{1,10})S)?$/;

const RULE = `must be a whole number of seconds from 1 to ${INTERVAL_LIMIT}, or an ISO 8601 duration of hours, minutes and seconds such as PT5M`;

/** Parses an interval from the text of a query string or form. @throws DalgaError invalid_parameter */
export function parseIntervalText(text: string): Interval {
  return /^\d{1,10}$/.test(text) ? fromSeconds(Number(text)) : parseDuration(text);
}

/** Parses an interval from a JSON value: a number of seconds, or a string with a duration. @throws DalgaError */
export function parseIntervalJson(value: unknown): Interval {
  if (typeof value === 'number') return fromSeconds(value);
  if (typeof value === 'string' && /^P/.test(value)) return parseDuration(value);
  throw invalid(' (in JSON, a number or a string with a duration)');
}

function parseDuration(text: string): Interval {
  const match = DURATION.exec(text);
  if (match === null) throw invalid();
  const [, hours = '0', minutes = '0', seconds = '0'] = match;
  const total = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  return { ms: fromSeconds(total).ms, text };
}

function fromSeconds(seconds: number): Interval {
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > INTERVAL_LIMIT) throw invalid();
  return { ms: seconds * 1000, text: null };
}

function invalid(where = ''): DalgaError {
  return new DalgaError('invalid_parameter', `interval ${RULE}${where}`, { parameter: 'interval' });
}
