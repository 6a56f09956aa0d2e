import { DalgaError } from '../errors.ts';
import { isCalendar, parseDuration, shortestLength } from './duration.ts';
import { INTERVAL_LIMIT } from './job.ts';
import type { Interval } from './plan.ts';

const RULE = `must be a whole number of seconds from 1 to ${INTERVAL_LIMIT}, or an ISO 8601 duration of whole numbers and as long, such as PT5M, P1D or P1M`;

/** Parses an interval from the text of a query string or form. @throws DalgaError invalid_parameter */
export function parseIntervalText(text: string): Interval {
  return /^\d{1,10}$/.test(text) ? fromSeconds(Number(text)) : fromDuration(text);
}

/** Parses an interval from a JSON value: a number of seconds, or a string with a duration. @throws DalgaError */
export function parseIntervalJson(value: unknown): Interval {
  if (typeof value === 'number') return fromSeconds(value);
  if (typeof value === 'string' && /^P/.test(value)) return fromDuration(value);
  throw invalid(' (in JSON, a number or a string with a duration)');
}

/** How long a duration with years, months, weeks or days is depends on the calendar: it has no `ms`. */
function fromDuration(text: string): Interval {
  const duration = parseDuration(text);
  if (duration === null) throw invalid();
  const { ms } = fromSeconds(shortestLength(duration) / 1000);
  return { ms: isCalendar(duration) ? null : ms, text };
}

function fromSeconds(seconds: number): Interval {
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > INTERVAL_LIMIT) throw invalid();
  return { ms: seconds * 1000, text: null };
}

function invalid(where = ''): DalgaError {
  return new DalgaError('invalid_parameter', `interval ${RULE}${where}`, { parameter: 'interval' });
}
