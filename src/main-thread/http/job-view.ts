import type { Schedule } from '../../job/job.ts';
import { formatTime } from '../../job/rfc3339.ts';
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
  });
}

/** As the client gave it: a duration, or seconds. */
export function intervalOf({ intervalText, intervalMs }: Schedule): string | number | null {
  return intervalText ?? (intervalMs === null ? null : intervalMs / 1000);
}

/** Not a TextDecoder: it would drop a leading U+FEFF, which belongs to the name. */
export function decodeUtf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
