import { isUtf8 } from 'node:buffer';
import type { OriginalRow } from '../../database/original-stream.ts';
import { DalgaError } from '../../errors.ts';
import { INTERVAL_LIMIT, JOB_LIMIT, ROUTING_KEY_LIMIT } from '../../job/job.ts';
import { parseTime } from '../../job/rfc3339.ts';

/** A job of the original's, checked as the API would have checked it. */
export type OriginalJob = {
  readonly key: { readonly routingKey: string; readonly job: string };
  /** ms; null: it runs once. */
  readonly intervalMs: number | null;
  /** Unix ms. */
  readonly nextRun: number;
};

export type Checked = { readonly job: OriginalJob } | { readonly refused: string };

/** A row as a job, or why it cannot be one. */
export function checkOriginalRow({ routingKey, job, interval, nextRun }: OriginalRow): Checked {
  const refused =
    whyNoName('routing_key', routingKey, ROUTING_KEY_LIMIT) ??
    whyNoName('job', job, JOB_LIMIT) ??
    whyNoInterval(interval);
  if (refused !== null) return { refused };
  const time = readTime(nextRun);
  if (typeof time === 'string') return { refused: time };
  return {
    job: {
      key: { routingKey: textOf(routingKey!), job: textOf(job!) },
      intervalMs: interval === 0 ? null : interval! * 1000,
      nextRun: time,
    },
  };
}

/** The name of a row for a person, whatever it is. */
export function describeRow({ routingKey, job }: OriginalRow): string {
  return `routing_key ${shown(routingKey)}, job ${shown(job)}`;
}

function whyNoName(column: string, bytes: Uint8Array | null, limit: number): string | null {
  if (bytes === null) return `${column} is NULL`;
  if (bytes.length === 0) return `${column} is empty`;
  if (bytes.length > limit) return `${column} has ${bytes.length} bytes, more than ${limit}`;
  // A server may hold what it took for UTF-8 long ago, such as halves of surrogate pairs.
  if (!isUtf8(bytes)) return `${column} is not UTF-8`;
  const text = textOf(bytes);
  if (text === '.' || text === '..') return `${column} is "${text}", which the API cannot name`;
  return null;
}

function whyNoInterval(interval: number | null): string | null {
  if (interval === null) return 'interval is NULL';
  if (Number.isInteger(interval) && interval >= 0 && interval <= INTERVAL_LIMIT) return null;
  return `interval is ${interval}, not 0 (once) or 1 to ${INTERVAL_LIMIT} seconds`;
}

/** Unix ms, or why it is none. */
function readTime(text: string | null): number | string {
  if (text === null) return 'next_run is NULL';
  if (text.startsWith('0000-00-00')) return 'next_run is the zero date';
  try {
    return parseTime('next_run', `${text.replace(' ', 'T')}Z`);
  } catch (error) {
    if (!(error instanceof DalgaError)) throw error;
    return `next_run is ${text}, no date in the years 1970 to 9999`;
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

const SHOWN = 60;

function shown(bytes: Uint8Array | null): string {
  if (bytes === null) return 'NULL';
  const text = textOf(bytes.subarray(0, 4 * SHOWN + 4));
  // By code points, so that no pair is cut in two; as JSON, so that no name can move a terminal's cursor.
  const points = [...text];
  return points.length <= SHOWN
    ? JSON.stringify(text)
    : `${JSON.stringify(points.slice(0, SHOWN).join(''))}…`;
}
