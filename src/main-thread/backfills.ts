import type { NamedSpan } from '../database/span-statements.ts';
import type { JobKey } from '../job/job.ts';
import type { Span } from '../job/span.ts';
import type { Owner } from './owner.ts';
import type { JobLister } from './store/job-lister.ts';

/** How long a DELETE waits for the scheduler's acknowledgement, ms. */
const ACKNOWLEDGE_TIMEOUT = 1000;

/**
 * Runs by hand and backfills. What is asked for is durable when the promise resolves, and is published after that; each
 * rejects with a DalgaError of the catalogue, and then nothing was written (but for `outcome_unknown`).
 */
export type BackfillService = {
  /** One message of the job, now. Null when there is no such job. */
  run(key: JobKey): Promise<Span | null>;
  /** The scheduled times in a part of the past, Unix ms: from `from` on, before `to`. Null when there is no such job. */
  backfill(key: JobKey, past: { readonly from: number; readonly to: number }): Promise<Span | null>;
  /** Those that are open, in the order in which they were asked for, as far as the last checkpoint knows. */
  list(): Promise<readonly NamedSpan[]>;
  get(id: number): Promise<NamedSpan | null>;
  /** Later only what a publisher already had can arrive. False when there is none. */
  end(id: number): Promise<boolean>;
};

export type BackfillsOptions = {
  readonly lister: Pick<JobLister, 'spans'>;
  /** The owner's part while this instance owns the table. @throws DalgaError why it does not */
  readonly owner: () => Owner;
};

export function createBackfills({ lister, owner }: BackfillsOptions): BackfillService {
  return {
    run: async (key) => owner().coalescer.open(key, null),
    backfill: async (key, past) => owner().coalescer.open(key, past),
    list: () => lister.spans(null),
    get: async (id) => (await lister.spans(id))[0] ?? null,
    async end(id) {
      const current = owner();
      const number = await current.coalescer.end(id);
      if (number === null) return false;
      if (number > 0) await current.acknowledged(number, ACKNOWLEDGE_TIMEOUT);
      return true;
    },
  };
}
