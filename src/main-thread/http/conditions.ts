import type { IncomingHttpHeaders } from 'node:http';
import { invalidParameter } from '../../errors.ts';
import type { IfMatch } from '../../job/entity-tag.ts';

export type Conditions = {
  /** A PUT that finds the job is refused. */
  readonly onlyCreate: boolean;
  /** A change of a job that is none of these is refused. */
  readonly ifMatch: IfMatch;
};

/** `"..."`, or with W/ before it; several with commas in between (RFC 9110, section 8.8.3). */
const TAGS = /^\s*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"(?:\s*,\s*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")*\s*$/;

/**
 * The conditions of RFC 9110, section 13. Jobs have no times of change, and only PUT knows `If-None-Match: *`. What
 * cannot be judged is refused: whoever sends it believes that it protects from a change in between. A GET ignores
 * If-None-Match, which would only save a transfer: what it answers moves by itself.
 *
 * @throws DalgaError invalid_parameter, naming the header
 */
export function readConditions(
  method: 'PUT' | 'GET' | 'POST' | 'PATCH' | 'DELETE',
  headers: IncomingHttpHeaders,
): Conditions {
  if (headers['if-unmodified-since'] !== undefined) {
    throw invalidParameter(
      'If-Unmodified-Since',
      'cannot be judged, since jobs have no times of change: nothing was done',
    );
  }
  const ifMatch = readIfMatch(headers['if-match']);
  const noneMatch = headers['if-none-match'];
  if (noneMatch === undefined || method === 'GET') return { onlyCreate: false, ifMatch };
  if (method !== 'PUT') throw invalidParameter('If-None-Match', 'is taken by PUT alone');
  if (noneMatch.trim() !== '*') {
    throw invalidParameter('If-None-Match', 'must be *: PUT then creates, and never replaces');
  }
  return { onlyCreate: true, ifMatch };
}

/** Refuses conditions of calls that judge none. @throws DalgaError invalid_parameter, naming the header */
export function refuseConditions(call: string, headers: IncomingHttpHeaders): void {
  for (const [name, value] of [
    ['If-Match', headers['if-match']],
    ['If-None-Match', headers['if-none-match']],
  ] as const) {
    if (value !== undefined) throw invalidParameter(name, `is not judged by ${call}: nothing was done`);
  }
}

/** Weak tags are none of those that match. */
function readIfMatch(value: string | undefined): IfMatch {
  if (value === undefined) return null;
  if (value.trim() === '*') return '*';
  if (!TAGS.test(value))
    throw invalidParameter('If-Match', 'must be * or entity tags as ETag has them, in quotes');
  return value.split(',').map((tag) => tag.trim());
}
