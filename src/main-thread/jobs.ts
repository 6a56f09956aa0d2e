import type { Clock } from '../clock.ts';
import { DalgaError } from '../errors.ts';
import type { JobRow } from '../job/job.ts';
import { isEverything } from '../job/job-filter.ts';
import { nextRun } from '../job/next-run.ts';
import type { Exchanges } from './exchanges.ts';
import { createJobList } from './job-list.ts';
import type { JobService, JobView } from './job-service.ts';
import { changeMany } from './many-jobs.ts';
import type { Owner } from './owner.ts';
import type { JobLister } from './store/job-lister.ts';
import type { JobReader } from './store/job-reader.ts';

/** How long a DELETE waits for the scheduler's acknowledgement, ms. */
const ACKNOWLEDGE_TIMEOUT = 1000;

export type JobsOptions = {
  readonly clock: Clock;
  readonly reader: JobReader;
  readonly lister: JobLister;
  /** The owner's part while this instance owns the table. @throws DalgaError why it does not */
  readonly owner: () => Owner;
  /** The same, or null. */
  readonly ownerOrNull: () => Owner | null;
  readonly exchanges: Exchanges;
};

/** The operations on jobs: writes go to the owner, reads to MySQL. */
export function createJobs({
  clock,
  reader,
  lister,
  owner,
  ownerOrNull,
  exchanges,
}: JobsOptions): JobService {
  const view = (row: JobRow): JobView => ({ row, nextRun: nextRun(row, clock.now()) });
  return {
    list: createJobList({ clock, lister, owner, ownerOrNull }),
    async put(key, request, conditions) {
      const current = owner();
      await exchanges.check(request);
      const { created, row, number } = await current.coalescer.put(key, request, conditions);
      await acknowledgedWhenPaused(current, row, number);
      return { created, view: view(row) };
    },
    async putAll(puts) {
      const { coalescer } = owner();
      const refused = new Map<number, DalgaError>();
      for (const [index, { request }] of puts.entries()) {
        if (request.message?.exchange === undefined) continue;
        await exchanges.check(request).catch((error: DalgaError) => refused.set(index, error));
      }
      if (refused.size === 0) return coalescer.putAll(puts);
      const stored = await coalescer.putAll(puts.filter((_, index) => !refused.has(index)));
      let next = 0;
      return puts.map((_, index) => refused.get(index) ?? stored[next++]!);
    },
    changeMany: async (query) => changeMany(query, { lister, owner, exchanges }),
    async *all(filter) {
      // All are quicker by their ids, as they lie in the table.
      for await (const rows of isEverything(filter) ? reader.pages() : lister.pages(filter)) {
        const coalescer = ownerOrNull()?.coalescer;
        yield rows.filter(({ id, version }) => !coalescer?.isSettled(id, version));
      }
    },
    async get(key) {
      const row = await reader.read(key);
      if (row === null || ownerOrNull()?.coalescer.isSettled(row.id, row.version)) return null;
      return view(row);
    },
    async post(key, request, ifMatch) {
      const current = owner();
      await exchanges.check(request);
      const changed = await current.coalescer.post(key, request, ifMatch);
      if (changed === null) return null;
      await acknowledgedWhenPaused(current, changed.row, changed.number);
      return view(changed.row);
    },
    async delete(key, ifMatch) {
      const current = owner();
      const number = await current.coalescer.delete(key, ifMatch);
      if (number === null) return false;
      // Later only what a publisher already had can arrive.
      if (number > 0) await current.acknowledged(number, ACKNOWLEDGE_TIMEOUT);
      return true;
    },
  };
}

/** Later only what a publisher already had can arrive. @param number 0 when nothing changed */
async function acknowledgedWhenPaused(owner: Owner, row: JobRow, number: number): Promise<void> {
  if (!row.enabled && number > 0) await owner.acknowledged(number, ACKNOWLEDGE_TIMEOUT);
}

/** What a write is answered while this instance cannot take it. */
export function refuseWrites(
  reason: 'starting' | 'standby' | 'stopping',
  ownerName: string | null,
): DalgaError {
  if (reason === 'stopping') return new DalgaError('stopping', 'this instance is stopping');
  if (reason === 'starting') return new DalgaError('not_ready', 'this instance is starting');
  return new DalgaError('not_owner', `the table is owned by ${ownerName ?? 'another instance'}`);
}
