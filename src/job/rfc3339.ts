import { DalgaError } from '../errors.ts';

const TIME =
  /^(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d+))?(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))$/;

const RULE =
  'must be an RFC 3339 time with a zone, such as 2030-01-31T12:00:00Z or 2030-01-31T12:00:00+02:00';

/** The first moment that RFC 3339 cannot tell in UTC: the start of the year 10000, Unix ms. */
const END_OF_TIME = Date.UTC(10000, 0, 1);

/**
 * Parses a time (RFC 3339) into Unix ms; digits beyond the millisecond are cut. A leap second is refused, since
 * Unix time has none, and so is a time before 1970: it is what a client sends that never set its time.
 *
 * @param parameter what the message names
 * @throws DalgaError invalid_parameter
 */
export function parseTime(parameter: string, text: string): number {
  const invalid = (rule: string) =>
    new DalgaError('invalid_parameter', `${parameter} ${rule}`, { parameter });
  const match = TIME.exec(text);
  if (match === null) throw invalid(explain(text));
  const [, year, month, day, hour, minute, second, fraction = '', sign, zoneHour = '0', zoneMinute = '0'] =
    match;
  // Date.UTC takes the years 0 to 99 for 1900 to 1999, which are refused below either way.
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) {
    throw invalid(`names a day that the calendar does not have: ${year}-${month}-${day}`);
  }
  const ms = Number(fraction.slice(0, 3).padEnd(3, '0'));
  const ofDay = ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000 + ms;
  const zone = (Number(zoneHour) * 60 + Number(zoneMinute)) * 60_000 * (sign === '-' ? -1 : 1);
  const time = date.getTime() + ofDay - zone;
  if (Number(year) < 1969 || time < 0 || time >= END_OF_TIME)
    throw invalid('must lie in the years 1970 to 9999');
  return time;
}

/** A time (Unix ms, in the years 0 to 9999) as RFC 3339 in UTC with whole seconds: cut, not rounded. */
export function formatTime(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}

/** The same to the ms: with digits for those only where there are some. */
export function formatExact(time: number): string {
  return new Date(time).toISOString().replace('.000Z', 'Z');
}

function explain(text: string): string {
  if (/ \d\d:\d\d$/.test(text)) {
    return `${RULE}; in a query string or form the + of the zone must be written as %2B, since + stands for a space`;
  }
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?$/.test(text)) return `${RULE}: the zone is missing`;
  return RULE;
}
