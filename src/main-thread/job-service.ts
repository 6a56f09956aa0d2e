import type { Position } from '../database/list-statements.ts';
import type { DalgaError } from '../errors.ts';
import type { JobRequest } from '../job/change-row.ts';
import type { IfMatch } from '../job/entity-tag.ts';
import type { JobKey, JobRow } from '../job/job.ts';
import type { JobFilter } from '../job/job-filter.ts';
import type { ManyQuery, ManyResult } from './many-jobs.ts';

/** A job as the API shows it. */
export type JobView = { readonly row: JobRow; readonly nextRun: number | null };

/**
 * The operations on jobs that the HTTP API offers. Each resolves once the change is durable; each rejects with a
 * DalgaError of the catalogue, and then nothing was written (but for `outcome_unknown`).
 */
export type JobService = {
  /** Creates or replaces. `onlyCreate`: rejects with precondition_failed when the job exists. */
  put(
    key: JobKey,
    request: JobRequest,
    conditions: { readonly onlyCreate: boolean; readonly ifMatch?: IfMatch },
  ): Promise<PutResult>;
  /** `put` for many jobs, each with its outcome. Rejects when this instance takes no writes now. */
  putAll(
    puts: readonly { readonly key: JobKey; readonly request: JobRequest }[],
  ): Promise<readonly ('created' | 'stored' | DalgaError)[]>;
  /** All jobs that the filter means, in pieces, in no order that a client may rely on. */
  all(filter: JobFilter): AsyncIterable<readonly JobRow[]>;
  list(query: ListQuery): Promise<JobPage>;
  /** The same change of all jobs that a filter means. */
  changeMany(query: ManyQuery): Promise<ManyResult>;
  get(key: JobKey): Promise<JobView | null>;
  /** Null when there is no such job. */
  post(key: JobKey, request: JobRequest, ifMatch?: IfMatch): Promise<JobView | null>;
  /** False when there is no such job. */
  delete(key: JobKey, ifMatch?: IfMatch): Promise<boolean>;
};

export type ListQuery = {
  readonly filter: JobFilter;
  readonly limit: number;
  /** By their names, or the next ones due first: those come from the scheduler, so only the owner knows them. */
  readonly sort: 'key' | 'next_run';
  /** The place after which the page begins, in the order of names. */
  readonly after: Position | null;
};

export type JobPage = {
  /** At most `limit`; under a filter they may be fewer, or none, and yet there is a next place. */
  readonly views: readonly JobView[];
  /** Null after the last page. */
  readonly next: Position | null;
  /** About how many jobs the filter means; null when that is not known. */
  readonly total: number | null;
};

export type PutResult = { readonly created: boolean; readonly view: JobView };

/** Why the service is not ready, by the part that is not: empty when it is. */
export type Readiness = { readonly ready: boolean; readonly reasons: Readonly<Record<string, string>> };

export type Health = {
  /** Resolves to whether both the main and the scheduler thread turn. */
  alive(): Promise<boolean>;
  readiness(): Readiness;
};

export type Metrics = {
  readonly contentType: string;
  /** All metrics, in Prometheus' text format. */
  text(): Promise<string>;
};
