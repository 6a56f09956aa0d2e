import { DalgaProblem } from './errors.ts';
import { plainParameters, type Query } from './request.ts';
import type { Call, CallOptions } from './transport.ts';
import type { Duration, Job, JobFilters, ManyParameters, Time } from './types/jobs.ts';

/** What the methods of the client have in common. */

/** A condition on the job as it is stored. */
export type Match = {
  /** The entity tag that an answer had: the change is refused (412) when the job is another by now. */
  readonly ifMatch?: string;
};

/** A job, and the entity tag of what is stored. */
export type Tagged = { readonly job: Job; readonly etag: string };

/** What a consumer asks for: another interval, that nothing comes before a time, or both. */
export type Pace =
  | { readonly interval: Duration; readonly notBefore?: Time }
  | { readonly interval?: Duration; readonly notBefore: Time };

/** Of changes and deletions of many jobs. */
export type ManyOptions = CallOptions & {
  /** Nothing is written: the answer only counts. */
  readonly dryRun?: boolean;
};

export type AskOptions = CallOptions & {
  readonly query?: Query;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
};

export function callOf(method: string, path: string, { body, ...options }: AskOptions): Call {
  if (body === undefined) return { method, path, ...options };
  return { method, path, ...options, body: JSON.stringify(plainParameters(body)) };
}

export function conditions(ifMatch: string | undefined): Record<string, string> {
  return ifMatch === undefined ? {} : { 'if-match': ifMatch };
}

export function many(filters: JobFilters, dryRun: boolean | undefined): ManyParameters {
  return { ...filters, ...(dryRun === undefined ? {} : { dry_run: dryRun }) };
}

/** Null where Dalga says that there is no such thing. */
export async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof DalgaProblem && error.missing) return null;
    throw error;
  }
}
