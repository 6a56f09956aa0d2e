import { DalgaError, invalidParameter } from '../../errors.ts';
import type { JobRequest } from '../../job/change-row.ts';
import { JOB_LIMIT, type JobKey, type JobRow, ROUTING_KEY_LIMIT } from '../../job/job.ts';
import { runsLeftAt } from '../../job/plan.ts';
import { parseObject } from './body.ts';
import { checkName } from './job-key.ts';
import { decodeUtf8, describeOptions, intervalOf } from './job-view.ts';
import { readParameterObject } from './parameters.ts';

/** A job as a line of NDJSON has it: the members of a PUT's JSON body, and what only an export tells. */
export type BulkJob = { readonly key: JobKey; readonly request: JobRequest };

/** Reads a line. @throws DalgaError that names the member and the rule */
export function readBulkJob(bytes: Buffer): BulkJob {
  const { routing_key, job, anchored, ...parameters } = parseObject(bytes, 'the line') as Record<
    string,
    unknown
  >;
  const key = {
    routingKey: checkMember('routing_key', routing_key, ROUTING_KEY_LIMIT),
    job: checkMember('job', job, JOB_LIMIT),
  };
  const request = readParameterObject('beside routing_key, job and anchored a line', parameters);
  if (anchored === undefined || anchored === true) return { key, request };
  if (anchored !== false) throw invalidParameter('anchored', 'must be true or false');
  if (request.firstRun === undefined)
    throw invalidParameter('anchored', 'says of first_run who chose it, and goes with it');
  return { key, request: { ...request, anchored } };
}

/**
 * The line of which an import makes the same job, with its end: the runs that max_runs has left count from then on.
 *
 * @param now Unix ms
 * @returns '' for a job that has none left, and is to be removed, or paused for ever
 */
export function formatBulkJob(row: JobRow, now: number): string {
  const { routingKey, job, schedule } = row;
  const runs = runsLeftOf(row, now);
  if (runs === 0) return '';
  const line = JSON.stringify({
    routing_key: decodeUtf8(routingKey),
    job: decodeUtf8(job),
    // JSON.stringify leaves out what is undefined.
    interval: intervalOf(schedule) ?? undefined,
    first_run: new Date(schedule.firstRun).toISOString(),
    one_off: schedule.kind === 'one_off' ? true : undefined,
    anchored: schedule.anchored ? undefined : false,
    ...describeOptions(row),
    max_runs: runs,
  });
  return `${line}\n`;
}

/** Of a pause none counts. */
function runsLeftOf({ id, since, enabled, schedule }: JobRow, now: number): number | undefined {
  const { maxRuns, runsLeft = maxRuns } = schedule.rules ?? {};
  if (runsLeft === undefined || !enabled) return runsLeft;
  try {
    return runsLeftAt(schedule, since, now, id);
  } catch (error) {
    // One whose schedule cannot be told any more does not run, and is exported with the others.
    if (error instanceof DalgaError) return runsLeft;
    throw error;
  }
}

/** A name as a JSON member. @throws DalgaError */
export function checkMember(parameter: 'routing_key' | 'job', value: unknown, limit: number): string {
  if (value === undefined) throw invalidParameter(parameter, 'is required');
  if (typeof value !== 'string') throw invalidParameter(parameter, 'must be a string');
  // A half of a surrogate pair has no UTF-8.
  if (/\p{Surrogate}/u.test(value)) throw invalidParameter(parameter, 'is not well-formed Unicode');
  return checkName(value, parameter, limit);
}
