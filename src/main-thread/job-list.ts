import type { Clock } from '../clock.ts';
import type { JobRow } from '../job/job.ts';
import { isEverything, type JobFilter, matches } from '../job/job-filter.ts';
import { nextRun } from '../job/next-run.ts';
import type { JobPage, JobView, ListQuery } from './job-service.ts';
import type { Owner } from './owner.ts';
import type { JobLister } from './store/job-lister.ts';

/** How long the scheduler may take for an answer, ms. */
const ANSWER_TIMEOUT = 1000;

/** The next ones due that are looked at under a filter. */
const LOOKS = 5000;

/** Jobs that may have gone since the scheduler answered. */
const SPARE = 20;

/** Rows that are read at a time, until there are enough of them. */
const STEP = 1000;

export type JobListOptions = {
  readonly clock: Clock;
  readonly lister: JobLister;
  /** The owner's part while this instance owns the table. @throws DalgaError why it does not */
  readonly owner: () => Owner;
  /** The same, or null. */
  readonly ownerOrNull: () => Owner | null;
};

/** The pages of GET /jobs. */
export function createJobList(options: JobListOptions): (query: ListQuery) => Promise<JobPage> {
  return async (query) => {
    const [{ views, next }, total] = await Promise.all([
      query.sort === 'key' ? listByName(options, query) : listNextDue(options, query),
      totalOf(options, query.filter),
    ]);
    return { views, next, total };
  };
}

async function listByName(
  { clock, lister, ownerOrNull }: JobListOptions,
  { filter, limit, after }: ListQuery,
): Promise<Omit<JobPage, 'total'>> {
  const { rows, next } = await lister.page(filter, after, limit);
  const now = clock.now();
  const views = rows
    .filter((row) => isThere(row, ownerOrNull()))
    .map((row) => ({ row, nextRun: nextRun(row, now) }));
  return { views, next };
}

/** The scheduler tells which are next and when, MySQL what they are. */
async function listNextDue(
  { lister, owner }: JobListOptions,
  { filter, limit }: ListQuery,
): Promise<Omit<JobPage, 'total'>> {
  const current = owner();
  const count = isEverything(filter) ? limit + SPARE : LOOKS;
  const { ids, times } = await current.ask({ about: 'next', limit: count }, ANSWER_TIMEOUT);
  const timeOf = new Map([...ids].map((id, index) => [id, times[index]!]));
  const views: JobView[] = [];
  for (let first = 0; first < ids.length && views.length < limit; first += STEP) {
    for (const row of await lister.byIds([...ids.subarray(first, first + STEP)])) {
      if (views.length === limit) break;
      if (matches(filter, row) && isThere(row, current)) views.push({ row, nextRun: timeOf.get(row.id)! });
    }
  }
  return { views, next: null };
}

function isThere({ id, version }: JobRow, owner: Owner | null): boolean {
  return !owner?.coalescer.isSettled(id, version);
}

/** The owner's scheduler has them all in memory; elsewhere the server's statistics are all that costs nothing. */
async function totalOf({ lister, ownerOrNull }: JobListOptions, filter: JobFilter): Promise<number | null> {
  if (!isEverything(filter)) return null;
  const owner = ownerOrNull();
  if (!owner?.loaded) return lister.estimate();
  return (await owner.ask({ about: 'count' }, ANSWER_TIMEOUT)).jobs;
}
