import { DalgaError } from '../errors.ts';
import type { JobRow } from './job.ts';

/** What a client says that the stored job is: one of these tags, or any. Null: it says nothing. */
export type IfMatch = readonly string[] | '*' | null;

/** The strong entity tag (RFC 9110, section 8.8.3) of a job as it is stored; its next_run moves by itself. */
export function entityTag({ id, version }: Pick<JobRow, 'id' | 'version'>): string {
  return `"${id.toString(36)}.${version.toString(36)}"`;
}

/** Of a job that is not there nothing matches (RFC 9110, section 13.1.1). @throws DalgaError precondition_failed */
export function checkMatch(current: Pick<JobRow, 'id' | 'version'> | null, ifMatch: IfMatch): void {
  if (ifMatch === null) return;
  if (current !== null && (ifMatch === '*' || ifMatch.includes(entityTag(current)))) return;
  const now = current === null ? 'there is no such job' : `its entity tag is ${entityTag(current)} now`;
  throw new DalgaError('precondition_failed', `the job is not what If-Match names: ${now}`);
}
