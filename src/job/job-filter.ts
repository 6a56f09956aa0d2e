import type { JobRow, Schedule } from './job.ts';

/** Which jobs a client means: those that are all of what it names. Names are UTF-8, compared byte for byte. */
export type JobFilter = {
  readonly routingKey?: string | undefined;
  readonly routingKeyPrefix?: string | undefined;
  readonly jobPrefix?: string | undefined;
  readonly tag?: string | undefined;
  readonly kind?: Schedule['kind'] | undefined;
  readonly enabled?: boolean | undefined;
};

/** Whether the filter leaves out nothing. */
export function isEverything(filter: JobFilter): boolean {
  return Object.values(filter).every((value) => value === undefined);
}

/** Whether a job is one of those that the filter means. MySQL judges the same, but for tags, where it guesses. */
export function matches(filter: JobFilter, row: JobRow): boolean {
  const { routingKey, routingKeyPrefix, jobPrefix, tag, kind, enabled } = filter;
  return (
    (routingKey === undefined || Buffer.compare(Buffer.from(routingKey), row.routingKey) === 0) &&
    (routingKeyPrefix === undefined || startsWith(row.routingKey, routingKeyPrefix)) &&
    (jobPrefix === undefined || startsWith(row.job, jobPrefix)) &&
    (tag === undefined || (row.tags ?? []).includes(tag)) &&
    (kind === undefined || row.schedule.kind === kind) &&
    (enabled === undefined || row.enabled === enabled)
  );
}

function startsWith(bytes: Uint8Array, prefix: string): boolean {
  const wanted = Buffer.from(prefix);
  return Buffer.compare(wanted, bytes.subarray(0, wanted.length)) === 0;
}
