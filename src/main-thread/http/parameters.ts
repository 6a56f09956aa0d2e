import { DalgaError, invalidParameter } from '../../errors.ts';
import type { JobRequest, MessageRequest } from '../../job/change-row.ts';
import { checkHeaders } from '../../job/headers.ts';
import { parseIntervalJson, parseIntervalText } from '../../job/interval.ts';
import { INTERVAL_LIMIT } from '../../job/job.ts';
import { nearest } from '../../nearest.ts';
import { type Body, duplicateParameter, forEachBodyParameter } from './body.ts';
import * as types from './parameter-types.ts';
import type { QueryTypes } from './query.ts';
import { forEachPair, shorten } from './request-target.ts';

/** Bytes: AMQP's shortstr. */
const SHORT_STRING = 255;
const TAGS_LIMIT = 32;
const EXCLUDE_LIMIT = 100;
/** Bytes. */
const PAYLOAD_LIMIT = 1 << 20;

const shortString = types.string(SHORT_STRING);
/** Bytes. */
export const TAG_LIMIT = 64;
export const TAG = { match: /^[^\s,\p{Cc}]+$/u, rule: '1 to 64 bytes each, without white space and commas' };

/** AMQP's own names, for a job that gives its messages something of its own. */
const MESSAGE = {
  content_type: ['contentType', shortString],
  headers: ['headers', types.json(checkHeaders)],
  priority: ['priority', types.integer(0, 255)],
  expiration: ['expiration', types.durationOrNone],
  exchange: ['exchange', shortString],
  correlation_id: ['correlationId', shortString],
  reply_to: ['replyTo', replyTo()],
  type: ['type', shortString],
} as const satisfies Readonly<Record<string, readonly [keyof MessageRequest, types.ParameterType<unknown>]>>;

/** Those that a request has as they are. */
const PLAIN = {
  interval: [
    'interval',
    {
      text: (_name, text) => parseIntervalText(text),
      json: (_name, value) => parseIntervalJson(value),
    } satisfies types.ParameterType<unknown>,
  ],
  cron: ['cron', types.string(256)],
  first_run: ['firstRun', types.time],
  last_run: ['lastRun', types.time],
  max_runs: ['maxRuns', types.integer(1, INTERVAL_LIMIT)],
  one_off: ['oneOff', types.boolean],
  immediate: ['immediate', types.boolean],
  location: ['location', types.string(64)],
  gap: ['gap', types.choice('skip', 'run')],
  overlap: ['overlap', types.choice('first', 'both')],
  exclude: ['exclude', types.list(';', EXCLUDE_LIMIT, types.string(256))],
  jitter: ['jitter', types.duration],
  phase: ['phase', types.choice('spread')],
  misfire: ['misfire', types.choice('once', 'skip', 'all')],
  misfire_age: ['misfireAge', types.duration],
  not_before: ['notBefore', types.time],
  shift: ['shift', types.seconds(-INTERVAL_LIMIT, INTERVAL_LIMIT)],
  enabled: ['enabled', types.boolean],
  note: ['note', types.string(1000)],
  tags: ['tags', types.list(',', TAGS_LIMIT, types.string(TAG_LIMIT, TAG))],
} as const satisfies Readonly<Record<string, readonly [keyof JobRequest, types.ParameterType<unknown>]>>;

/** Read together: the one says how the other is written. */
const PAYLOAD = { payload: types.string(PAYLOAD_LIMIT * 2), payload_encoding: types.choice('base64') };

type Name = keyof typeof PLAIN | keyof typeof MESSAGE | keyof typeof PAYLOAD;

export const PARAMETER_NAMES = [
  ...Object.keys(PLAIN),
  ...Object.keys(PAYLOAD),
  ...Object.keys(MESSAGE),
] as readonly Name[];

/** JSON's null takes away what is stored; these are always there, or say what to do now. */
const NEVER_NULL: ReadonlySet<Name> = new Set([
  ...(['interval', 'cron', 'first_run', 'one_off', 'immediate', 'phase', 'shift'] as const),
  ...(['enabled', 'payload_encoding'] as const),
]);

/** Who takes parameters, as refusals name it, and which of them it does not take: see `checkPut` and `checkDefinition`. */
const TAKERS = {
  PUT: ['not_before', 'shift'],
  POST: [],
  PATCH: [],
  'in its body PATCH /jobs': [],
  'a preview': ['not_before', 'shift'],
  'beside routing_key and count a schedule': ['not_before', 'shift'],
  'beside routing_key, job and anchored a line': ['shift'],
} as const satisfies Readonly<Record<string, readonly Name[]>>;

export type Taker = keyof typeof TAKERS;

/** The names as clients may spell them; those with a hyphen are the original's. */
const SPELLINGS = new Map<string, Name>([
  ...PARAMETER_NAMES.map((name) => [name, name] as const),
  ['first-run', 'first_run'],
  ['one-off', 'one_off'],
]);

/** What has been read so far, by the parameters' names. */
type Values = Map<Name, unknown>;

/**
 * Reads the parameters of a PUT or POST from the query string and the body together. Text (of a query string or
 * a form) is parsed; a JSON value must have its parameter's type.
 *
 * @throws DalgaError that names the parameter and the rule
 */
export function readParameters(taker: Taker, query: string, body: Body | undefined): JobRequest {
  return readMore(taker, query, body, NOTHING_MORE).request;
}

const NOTHING_MORE: QueryTypes = {};

/** The same, of a call that takes a few others too: those are given apart. @throws DalgaError */
export function readMore(
  taker: Taker,
  query: string,
  body: Body | undefined,
  types: QueryTypes,
): { readonly request: JobRequest; readonly more: ReadonlyMap<string, unknown> } {
  const values: Values = new Map();
  const more = new Map<string, unknown>();
  const others = Object.keys(types);
  const read = (kind: 'text' | 'json') => (name: string, value: unknown) => {
    if (Object.hasOwn(types, name)) {
      if (more.has(name)) throw duplicateParameter(name);
      more.set(name, types[name]![kind](name, value as string));
    } else if (kind === 'text') takeText(values, known(taker, name, others), value);
    else takeJson(values, known(taker, name, others), value);
  };
  forEachPair(query, read('text'));
  if (body !== undefined) forEachBodyParameter(body, read(body.kind === 'json' ? 'json' : 'text'));
  return { request: requestOf(values), more };
}

/** Reads the parameters from the members of a JSON object. @throws DalgaError */
export function readParameterObject(taker: Taker, members: Readonly<Record<string, unknown>>): JobRequest {
  const values: Values = new Map();
  for (const [name, value] of Object.entries(members)) takeJson(values, known(taker, name), value);
  return requestOf(values);
}

/** Refuses every parameter: for GET and DELETE. @throws DalgaError */
export function refuseParameters(method: string, query: string, body: Body | undefined): void {
  const refuse = (name: string) => {
    throw unknownParameter(name, `${method} takes no parameters`);
  };
  forEachPair(query, refuse);
  if (body !== undefined) forEachBodyParameter(body, refuse);
}

/** The same of what stands in a body, for a call whose parameters stand in the query string. @throws DalgaError */
export function refuseInBody(taker: string, body: Body | undefined): void {
  if (body === undefined) return;
  forEachBodyParameter(body, (name) => {
    throw unknownParameter(name, `${taker} takes its parameters in the query string, not in a body`);
  });
}

function takeText(values: Values, name: Name, value: unknown): void {
  put(values, name, typeOf(name).text(name, value as string));
}

function takeJson(values: Values, name: Name, value: unknown): void {
  const taken = value === null && !NEVER_NULL.has(name) ? null : typeOf(name).json(name, value);
  put(values, name, taken);
}

/** A parameter may be given once: under either spelling, in whatever place. */
function put(values: Values, name: Name, value: unknown): void {
  if (values.has(name)) throw duplicateParameter(name);
  values.set(name, value);
}

function typeOf(name: Name): types.ParameterType<unknown> {
  if (name in PLAIN) return PLAIN[name as keyof typeof PLAIN][1];
  if (name in MESSAGE) return MESSAGE[name as keyof typeof MESSAGE][1];
  return PAYLOAD[name as keyof typeof PAYLOAD];
}

function requestOf(values: Values): JobRequest {
  const request: Record<string, unknown> = {};
  let message: Record<string, unknown> | undefined;
  for (const [name, value] of values) {
    if (name in PLAIN) request[PLAIN[name as keyof typeof PLAIN][0]] = value;
    else if (name in MESSAGE) {
      message ??= {};
      message[MESSAGE[name as keyof typeof MESSAGE][0]] = value;
    }
  }
  if (message !== undefined) request.message = message;
  // It is over, as one that is past.
  if (request.notBefore === null) request.notBefore = 0;
  const payload = payloadOf(values);
  if (payload !== undefined) request.payload = payload;
  if (Array.isArray(request.tags)) request.tags = [...new Set(request.tags as string[])].sort();
  return request;
}

function payloadOf(values: Values): Uint8Array | null | undefined {
  const payload = values.get('payload') as string | null | undefined;
  const encoded = values.has('payload_encoding');
  if (payload === undefined || payload === null) {
    if (encoded) throw invalidParameter('payload_encoding', 'says how payload is written, and goes with it');
    return payload;
  }
  if (encoded && !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(payload)) {
    throw invalidParameter('payload', 'is not base64 (RFC 4648, section 4, with padding)');
  }
  // An array of its own, since it is posted.
  const bytes = new Uint8Array(Buffer.from(payload, encoded ? 'base64' : 'utf8'));
  if (bytes.length <= PAYLOAD_LIMIT) return bytes;
  throw invalidParameter('payload', `has ${bytes.length} bytes: at most ${PAYLOAD_LIMIT}`);
}

function replyTo(): types.ParameterType<string> {
  const check = (name: string, text: string): string => {
    // The broker closes the channel of a message that names it where nobody consumes from it.
    if (text.startsWith('amq.rabbitmq.reply-to')) {
      throw invalidParameter(
        name,
        'must not be amq.rabbitmq.reply-to, which is only for those who consume from it',
      );
    }
    return text;
  };
  return {
    text: (name, text) => check(name, shortString.text(name, text)),
    json: (name, value) => check(name, shortString.json(name, value)),
  };
}

/** @param others what the call takes beside them */
function known(taker: Taker, spelling: string, others: readonly string[] = []): Name {
  const name = SPELLINGS.get(spelling);
  if (name !== undefined) return name;
  // Short before it is compared: what a client sent may be as long as its whole body.
  const meant = nearest(shorten(spelling).toLowerCase(), [...SPELLINGS.keys(), ...others]);
  if (meant !== undefined) throw unknownParameter(spelling, `did you mean ${meant}?`);
  const refused: readonly Name[] = TAKERS[taker];
  const taken = PARAMETER_NAMES.filter((one) => !refused.includes(one));
  throw unknownParameter(spelling, `${taker} takes ${[...taken, ...others].join(', ')}`);
}

export function unknownParameter(spelling: string, rule: string): DalgaError {
  const name = shorten(spelling);
  const shown = name === '' ? 'a parameter without a name' : name;
  return new DalgaError('unknown_parameter', `${shown} is not known: ${rule}`, { parameter: name });
}
