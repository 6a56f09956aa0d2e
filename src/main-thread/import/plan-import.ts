import type { JobRow, Schedule } from '../../job/job.ts';
import { type NamedJob, nameJob } from '../../job/named-job.ts';
import { lastAtOrBefore } from '../../job/next-run.ts';
import { keyText } from '../store/batch-plan.ts';
import type { OriginalJob } from './original-job.ts';

export type Candidate = { readonly named: NamedJob; readonly job: OriginalJob };

export type ImportPlan = {
  readonly upserts: readonly { readonly hash: Uint8Array; readonly row: JobRow }[];
  readonly nextId: number;
  /** How many of the jobs were there already. */
  readonly present: number;
  /** How many of the new ones missed runs that this table cannot owe any more. */
  readonly behind: number;
};

export function candidateOf(job: OriginalJob): Candidate {
  return { named: nameJob(job.key), job };
}

/**
 * The rows of the jobs that are not there yet. What is there is left as it is: it was taken by an earlier run of
 * the import, and may have been changed since.
 *
 * `since` decides what a job owes, and elsewhere it is the stamp. Here it is next_run when that is past: the
 * original had not run the job at that time and would have done so at its next start, so one catch-up run stands
 * for what was missed (by the misfire rule), and from then on the job keeps its phase. With `since` = the stamp a
 * weekly job whose run fell between the stop of the original and the import would be a week late.
 *
 * It is never below the durable watermark: before it nothing is owed. A `since` before the stamp is safe here, and
 * only here, because no scheduler runs and no watermark is written while the import owns the table: the next owner
 * starts from this very watermark with all of these rows. A one-off whose time lies before the watermark gets the
 * watermark as its time, as one that the API is given too late gets the stamp; so it always runs. An interval job
 * whose last missed time lies before the watermark (some Dalga has run on this table since) goes on at its phase,
 * and is counted in `behind`.
 *
 * @param stored keyText of the hashes that are there
 * @param stamp, watermark Unix ms
 */
export function planImport(
  candidates: readonly Candidate[],
  { stored, stamp, watermark, nextId }: ImportInput,
): ImportPlan {
  const taken = new Map<string, { hash: Uint8Array; row: JobRow }>();
  let behind = 0;
  for (const { named, job } of candidates) {
    const text = keyText(named.hash);
    if (stored.has(text) || taken.has(text)) continue;
    const since = Math.max(watermark, Math.min(stamp, job.nextRun));
    const schedule = scheduleOf(job, since);
    if (job.nextRun < watermark && lastAtOrBefore(schedule, stamp, 0) < watermark) behind++;
    const { hash, routingKey, job: name } = named;
    const row = {
      id: nextId + taken.size,
      version: 1,
      since,
      enabled: true,
      routingKey,
      job: name,
      schedule,
    };
    taken.set(text, { hash, row });
  }
  return {
    upserts: [...taken.values()],
    nextId: nextId + taken.size,
    present: candidates.length - taken.size,
    behind,
  };
}

export type ImportInput = {
  readonly stored: ReadonlySet<string>;
  readonly stamp: number;
  readonly watermark: number;
  readonly nextId: number;
};

/** As if a client had named next_run as first_run: that is the phase, and a PUT must name it to be equal. */
function scheduleOf({ intervalMs, nextRun }: OriginalJob, since: number): Schedule {
  const given = { intervalText: null, anchored: true } as const;
  if (intervalMs === null)
    return { kind: 'one_off', intervalMs, firstRun: Math.max(nextRun, since), ...given };
  return { kind: 'interval', intervalMs, firstRun: nextRun, ...given };
}
