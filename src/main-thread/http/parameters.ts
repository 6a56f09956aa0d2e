import { DalgaError } from '../../errors.ts';
import { parseIntervalJson, parseIntervalText } from '../../job/interval.ts';
import type { ScheduleRequest } from '../../job/plan.ts';
import { parseTime } from '../../job/rfc3339.ts';
import { nearest } from '../../nearest.ts';
import { type Body, duplicateParameter, forEachBodyParameter } from './body.ts';
import { forEachPair, shorten } from './request-target.ts';

const NAMES = ['interval', 'first_run', 'one_off', 'immediate'] as const;

type Name = (typeof NAMES)[number];

/** The names as clients may spell them; those with a hyphen are the original's. */
const SPELLINGS = new Map<string, Name>([
  ...NAMES.map((name) => [name, name] as const),
  ['first-run', 'first_run'],
  ['one-off', 'one_off'],
]);

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Reads the parameters of a PUT or POST from the query string and the body together. Text (of a query string or
 * a form) is parsed; a JSON value must have its parameter's type.
 *
 * @throws DalgaError that names the parameter and the rule
 */
export function readSchedule(method: string, query: string, body: Body | undefined): ScheduleRequest {
  const request: Mutable<ScheduleRequest> = {};
  forEachPair(query, (name, value) => takeText(request, known(method, name), value));
  if (body !== undefined) {
    const take = body.kind === 'json' ? takeJson : takeText;
    forEachBodyParameter(body, (name, value) => take(request, known(method, name), value));
  }
  return request;
}

/** Reads the parameters from the members of a JSON object. @throws DalgaError */
export function readScheduleObject(
  taker: string,
  members: Readonly<Record<string, unknown>>,
): ScheduleRequest {
  const request: Mutable<ScheduleRequest> = {};
  for (const [name, value] of Object.entries(members)) takeJson(request, known(taker, name), value);
  return request;
}

/** Refuses every parameter: for GET and DELETE. @throws DalgaError */
export function refuseParameters(method: string, query: string, body: Body | undefined): void {
  const refuse = (name: string) => {
    throw unknownParameter(name, `${method} takes no parameters`);
  };
  forEachPair(query, refuse);
  if (body !== undefined) forEachBodyParameter(body, refuse);
}

function takeText(request: Mutable<ScheduleRequest>, name: Name, value: unknown): void {
  const text = value as string;
  switch (name) {
    case 'interval':
      request.interval = once(name, request.interval, parseIntervalText(text));
      break;
    case 'first_run':
      request.firstRun = once(name, request.firstRun, parseTime('first_run', text));
      break;
    case 'one_off':
      request.oneOff = once(name, request.oneOff, parseBoolean(name, text));
      break;
    case 'immediate':
      request.immediate = once(name, request.immediate, parseBoolean(name, text));
      break;
  }
}

function takeJson(request: Mutable<ScheduleRequest>, name: Name, value: unknown): void {
  switch (name) {
    case 'interval':
      request.interval = once(name, request.interval, parseIntervalJson(value));
      break;
    case 'first_run':
      if (typeof value !== 'string') throw invalid(name, 'must be a string with an RFC 3339 time');
      request.firstRun = once(name, request.firstRun, parseTime('first_run', value));
      break;
    case 'one_off':
      request.oneOff = once(name, request.oneOff, checkBoolean(name, value));
      break;
    case 'immediate':
      request.immediate = once(name, request.immediate, checkBoolean(name, value));
      break;
  }
}

function known(method: string, spelling: string): Name {
  const name = SPELLINGS.get(spelling);
  if (name !== undefined) return name;
  // Short before it is compared: what a client sent may be as long as its whole body.
  const meant = nearest(shorten(spelling).toLowerCase(), [...SPELLINGS.keys()]);
  const hint = meant === undefined ? '' : `did you mean ${meant}? `;
  throw unknownParameter(spelling, `${hint}${method} takes ${NAMES.join(', ')}`);
}

/** The new value, unless one was given before: under either spelling, in whatever place. */
function once<T>(name: Name, before: T | undefined, value: T): T {
  if (before !== undefined) throw duplicateParameter(name);
  return value;
}

function parseBoolean(name: Name, text: string): boolean {
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  throw invalid(name, 'must be true or false (or 1 or 0)');
}

function checkBoolean(name: Name, value: unknown): boolean {
  if (typeof value !== 'boolean') throw invalid(name, 'must be true or false, without quotes');
  return value;
}

function unknownParameter(spelling: string, rule: string): DalgaError {
  const name = shorten(spelling);
  return new DalgaError('unknown_parameter', `${name} is not known: ${rule}`, { parameter: name });
}

function invalid(name: Name, rule: string): DalgaError {
  return new DalgaError('invalid_parameter', `${name} ${rule}`, { parameter: name });
}
