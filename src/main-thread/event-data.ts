import type { JobRow } from '../job/job.ts';
import { nextRun } from '../job/next-run.ts';
import { formatExact, formatTime } from '../job/rfc3339.ts';
import type { RunEvent } from '../protocol/events.ts';
import type { JobEvent } from './store/batch-plan.ts';

const decoder = new TextDecoder();

export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** What a change of a job is told as. @param now Unix ms */
export function describeChange({ type, row }: JobEvent, routingKey: string, now: number): object {
  return {
    type,
    at: formatExact(now),
    job: textOf(row.job),
    routing_key: routingKey,
    version: row.version,
    // JSON.stringify leaves out what is undefined.
    ...(type === 'cancelled' ? {} : stateOf(row, now)),
  };
}

function stateOf(row: JobRow, now: number): object {
  const next = nextRun(row, now);
  return { enabled: row.enabled, next_run: next === null ? null : formatTime(next) };
}

/** What a run is told as, in the words of a job's history. @param job null where nobody knows its name any more */
export function describeRun(event: RunEvent, job: Uint8Array | null): object {
  const { type, at, routingKey, exchange, kind, rerouted, messageId, scheduledAt, sentAt, count } = event;
  const told = {
    type,
    at: formatExact(at),
    job: job === null ? null : textOf(job),
    routing_key: routingKey,
    scheduled_at: formatExact(scheduledAt),
    count,
  };
  if (messageId === null) return { ...told, outcome: 'skipped' };
  return {
    ...told,
    ...(type === 'misfired' ? { outcome: 'caught_up' } : {}),
    ...(type === 'returned' ? { exchange, rerouted } : {}),
    message_id: messageId,
    sent_at: formatExact(sentAt),
    // What runs beside the schedule is not late: a backfill's time may be years ago.
    ...(kind === null ? { late_ms: Math.max(0, Math.round(sentAt - scheduledAt)) } : { kind }),
  };
}
