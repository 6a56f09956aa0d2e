import type { JobRow } from '../../src/job/job.ts';

const encoder = new TextEncoder();

/** An interval job's row: every `intervalMs`, first at `firstRun`. */
export function intervalRow(
  id: number,
  intervalMs: number,
  firstRun: number,
  changes: Partial<JobRow> & { key?: string; name?: string } = {},
): JobRow {
  const { key = 'check_feed', name = String(id), ...rest } = changes;
  return {
    id,
    version: 1,
    since: firstRun - intervalMs,
    enabled: true,
    routingKey: encoder.encode(key),
    job: encoder.encode(name),
    schedule: { kind: 'interval', intervalMs, intervalText: null, firstRun, anchored: false },
    ...rest,
  };
}

/** A one-off job's row. */
export function oneOffRow(
  id: number,
  firstRun: number,
  changes: Partial<JobRow> & { key?: string; name?: string } = {},
): JobRow {
  return {
    ...intervalRow(id, 1000, firstRun, { since: firstRun, ...changes }),
    schedule: { kind: 'one_off', intervalMs: null, intervalText: null, firstRun, anchored: true },
    ...(changes.schedule === undefined ? {} : { schedule: changes.schedule }),
  };
}
