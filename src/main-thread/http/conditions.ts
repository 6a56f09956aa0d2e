import type { IncomingHttpHeaders } from 'node:http';
import { DalgaError } from '../../errors.ts';

/**
 * The conditions of RFC 9110, section 13. Jobs have no entity tags nor times of change, so `If-None-Match: *` of a
 * PUT is the only one that can be judged. Another one is refused: whoever sends it believes that it protects from
 * a change in between. A GET ignores those that only save a transfer.
 *
 * @returns whether a PUT may only create
 * @throws DalgaError invalid_parameter, naming the header
 */
export function readConditions(
  method: 'PUT' | 'GET' | 'POST' | 'DELETE',
  headers: IncomingHttpHeaders,
): boolean {
  if (headers['if-match'] !== undefined) throw invalid('If-Match', NO_TAGS);
  if (headers['if-unmodified-since'] !== undefined) throw invalid('If-Unmodified-Since', NO_TAGS);
  const noneMatch = headers['if-none-match'];
  if (noneMatch === undefined || method === 'GET') return false;
  if (method !== 'PUT') throw invalid('If-None-Match', 'is taken by PUT alone');
  if (noneMatch.trim() !== '*')
    throw invalid('If-None-Match', 'must be *: PUT then creates, and never replaces');
  return true;
}

const NO_TAGS = 'cannot be judged, since jobs have no entity tags: nothing was done';

function invalid(header: string, rule: string): DalgaError {
  return new DalgaError('invalid_parameter', `${header} ${rule}`, { parameter: header });
}
