import { InvalidArgument } from './errors.ts';
import type { JobName } from './types/jobs.ts';

/** What stands in a request: paths, query strings and bodies. What has no form there is refused before it is sent. */

export type Query = Readonly<Record<string, string | number | boolean | Date | undefined>>;

const SURROGATE = /\p{Surrogate}/u;

/** The path of a job, each name one segment. @throws InvalidArgument for a name that no job can have */
export function pathOf({ routingKey, job }: JobName): string {
  return `/jobs/${segmentOf('routingKey', routingKey)}/${segmentOf('job', job)}`;
}

/** @throws InvalidArgument for what would be a step in the path, or has no UTF-8 */
export function segmentOf(argument: string, text: string): string {
  if (typeof text !== 'string') throw new InvalidArgument(`${argument} must be a string`);
  if (text === '' || text === '.' || text === '..')
    throw new InvalidArgument(`${argument} must not be ${JSON.stringify(text)}`);
  return encodeURIComponent(wellFormed(argument, text));
}

/** With its question mark; empty when nothing is named. @throws InvalidArgument */
export function queryOf(query: Query): string {
  const pairs: [string, string][] = [];
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) pairs.push([name, wellFormed(name, String(plain(name, value)))]);
  }
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}

/**
 * Parameters as they are sent in JSON: bytes of a payload as base64, a Date as RFC 3339.
 *
 * @throws InvalidArgument for a number or a Date that JSON would write as null, which takes away what is stored
 */
export function plainParameters(parameters: object): Record<string, unknown> {
  const sent: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(parameters)) sent[name] = plain(name, value);
  const { payload } = parameters as { payload?: unknown };
  if (payload instanceof Uint8Array)
    Object.assign(sent, { payload: toBase64(payload), payload_encoding: 'base64' });
  return sent;
}

function plain(name: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new InvalidArgument(`${name} must not be ${value}`);
  if (!(value instanceof Date)) return value;
  if (Number.isNaN(value.getTime())) throw new InvalidArgument(`${name} is no valid Date`);
  return value.toISOString();
}

/** Half of a surrogate pair has no UTF-8. */
function wellFormed(argument: string, text: string): string {
  if (SURROGATE.test(text))
    throw new InvalidArgument(`${argument} is not well-formed Unicode: it has half of a surrogate pair`);
  return text;
}

/** Bytes that are written as base64 at a time: a multiple of 3, so that the pieces fit together. */
const PIECE = 0x6000;

/** Not a Buffer: browsers have none. */
export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += PIECE)
    text += btoa(String.fromCharCode(...bytes.subarray(at, at + PIECE)));
  return text;
}
