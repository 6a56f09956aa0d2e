import { DalgaError } from '../errors.ts';
import type { JobRequest } from '../job/change-row.ts';
import type { JobRow } from '../job/job.ts';
import { type JobFilter, matches } from '../job/job-filter.ts';
import type { Exchanges } from './exchanges.ts';
import type { Owner } from './owner.ts';
import type { JobLister } from './store/job-lister.ts';

/** How long the scheduler may take to acknowledge the last of the changes, ms. */
const ACKNOWLEDGE_TIMEOUT = 5000;

/** Refusals that are told one by one. */
const ERRORS_TOLD = 10;

export type ManyQuery = {
  readonly filter: JobFilter;
  /** Null: they are deleted. */
  readonly change: JobRequest | null;
  /** Nothing is written, and only `matched` is counted. */
  readonly dryRun: boolean;
  /** Whether the client is gone: then it ends, and what was written stays. */
  readonly isGone: () => boolean;
};

export type ManyResult = {
  readonly matched: number;
  /** Or deleted. */
  readonly changed: number;
  readonly refused: number;
  /** The first of those that were refused. */
  readonly errors: readonly {
    readonly routingKey: Uint8Array;
    readonly job: Uint8Array;
    readonly error: DalgaError;
  }[];
};

export type ManyJobsOptions = {
  readonly lister: JobLister;
  /** @throws DalgaError why this instance takes no writes */
  readonly owner: () => Owner;
  readonly exchanges: Exchanges;
};

/**
 * Changes or deletes all jobs that a filter means, a page after the other, as bulk loads do: single requests go before.
 * What is added meanwhile may be met or not; whether a job still is one of them is judged again when it is written.
 *
 * @throws DalgaError of what is no job's own fault; what was written by then stays
 */
export async function changeMany(
  query: ManyQuery,
  { lister, owner, exchanges }: ManyJobsOptions,
): Promise<ManyResult> {
  const { filter, change, dryRun, isGone } = query;
  const { coalescer } = owner();
  // All jobs would be refused for it: not one is read.
  if (change !== null) await exchanges.check(change);
  const errors: { routingKey: Uint8Array; job: Uint8Array; error: DalgaError }[] = [];
  const counts = { matched: 0, changed: 0, refused: 0 };
  let number = 0;
  const isMeant = (row: JobRow) => matches(filter, row);
  for await (const page of lister.named(filter)) {
    if (isGone()) break;
    const jobs = page.filter(({ id, version }) => !coalescer.isSettled(id, version));
    counts.matched += jobs.length;
    if (dryRun || jobs.length === 0) continue;
    for (const [index, outcome] of (await coalescer.changeAll(jobs, change, isMeant)).entries()) {
      if (!(outcome instanceof DalgaError)) {
        // One that has gone meanwhile is 0.
        if (outcome.there) counts.changed++;
        number = Math.max(number, outcome.number);
        continue;
      }
      if (outcome.status >= 500 && outcome.code !== 'insufficient_memory') throw outcome;
      counts.refused++;
      const { routingKey, job } = jobs[index]!;
      if (errors.length < ERRORS_TOLD) errors.push({ routingKey, job, error: outcome });
    }
  }
  // Later only what a publisher already had can arrive.
  const ends = change === null || change.enabled === false;
  if (ends && number > 0) await owner().acknowledged(number, ACKNOWLEDGE_TIMEOUT);
  return { ...counts, errors };
}
