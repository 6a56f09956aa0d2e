import { isUtf8 } from 'node:buffer';
import type { JobRow, Schedule } from '../../job/job.ts';
import { formatExact, formatTime } from '../../job/rfc3339.ts';
import type { JobView } from '../job-service.ts';

/**
 * A job as the API shows it, in JSON. The first four keys are always there, in this order; others follow only
 * when the job uses them.
 */
export function formatJob({ row, nextRun }: JobView): string {
  const { schedule } = row;
  const oneOff = schedule.kind === 'one_off';
  return JSON.stringify({
    job: decodeUtf8(row.job),
    routing_key: decodeUtf8(row.routingKey),
    interval: oneOff ? null : intervalOf(schedule),
    next_run: nextRun === null ? null : formatTime(nextRun),
    // JSON.stringify leaves out what is undefined.
    one_off: oneOff ? true : undefined,
    ...describeOptions(row),
  });
}

/** What few jobs have, by the names of the parameters that ask for it. */
export function describeOptions(row: JobRow): Readonly<Record<string, unknown>> {
  const { schedule, enabled, note, tags, payload, message } = row;
  // Most have none of it.
  if (enabled && (schedule.rules ?? note ?? tags ?? payload ?? message) === undefined) {
    return schedule.kind === 'cron' ? { cron: schedule.cron } : NOTHING;
  }
  const rules = schedule.rules ?? {};
  return {
    cron: schedule.kind === 'cron' ? schedule.cron : undefined,
    location: rules.location,
    gap: rules.gap,
    overlap: rules.overlap,
    not_before: rules.notBefore === undefined ? undefined : formatExact(rules.notBefore),
    last_run: rules.lastRun === undefined ? undefined : formatExact(rules.lastRun),
    max_runs: rules.maxRuns,
    exclude: rules.exclude,
    jitter: inSeconds(rules.jitter),
    misfire: rules.misfire,
    misfire_age: inSeconds(rules.misfireAge),
    enabled: enabled ? undefined : false,
    note,
    tags,
    ...describePayload(payload),
    content_type: message?.contentType,
    headers: message?.headers,
    priority: message?.priority,
    expiration: message?.expiration === null ? 'none' : inSeconds(message?.expiration),
    exchange: message?.exchange,
    correlation_id: message?.correlationId,
    reply_to: message?.replyTo,
    type: message?.type,
  };
}

const NOTHING = {};

function describePayload(payload: Uint8Array | undefined): Readonly<Record<string, unknown>> {
  if (payload === undefined) return NOTHING;
  if (isUtf8(payload)) return { payload: decodeUtf8(payload) };
  return { payload: Buffer.from(payload).toString('base64'), payload_encoding: 'base64' };
}

function inSeconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}

/** As the client gave it: a duration, or seconds. */
export function intervalOf({ intervalText, intervalMs }: Schedule): string | number | null {
  return intervalText ?? (intervalMs === null ? null : intervalMs / 1000);
}

/** Not a TextDecoder: it would drop a leading U+FEFF, which belongs to the name. */
export function decodeUtf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
