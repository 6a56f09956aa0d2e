import type { DalgaError } from '../errors.ts';
import type { JobRequest } from '../job/change-row.ts';
import type { IfMatch } from '../job/entity-tag.ts';
import type { JobKey, JobRow } from '../job/job.ts';

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
  /** All jobs, in pieces, in no order that a client may rely on. */
  all(): AsyncIterable<readonly JobRow[]>;
  get(key: JobKey): Promise<JobView | null>;
  /** Null when there is no such job. */
  post(key: JobKey, request: JobRequest, ifMatch?: IfMatch): Promise<JobView | null>;
  /** False when there is no such job. */
  delete(key: JobKey, ifMatch?: IfMatch): Promise<boolean>;
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
