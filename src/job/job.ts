import { hash } from 'node:crypto';

/**
 * A job's name: the pair that identifies it. Both are valid UTF-8 and are compared byte for byte: case, trailing
 * spaces and normalisation forms make different jobs.
 */
export type JobKey = { readonly routingKey: string; readonly job: string };

/** Bytes of UTF-8: AMQP 0-9-1's shortstr. */
export const ROUTING_KEY_LIMIT = 255;

/** Bytes of UTF-8. */
export const JOB_LIMIT = 20_000;

/** Seconds. */
export const INTERVAL_LIMIT = 4_294_967_295;

/** When a job runs; times in Unix ms, durations in ms. */
export type Schedule =
  | {
      readonly kind: 'interval';
      readonly intervalMs: number;
      /** The interval as an ISO 8601 duration where the client gave one, else null. */
      readonly intervalText: string | null;
      /** The phase: it runs at firstRun + k * intervalMs, k >= 0. */
      readonly firstRun: number;
      /** Whether the client named first_run. */
      readonly anchored: boolean;
    }
  | {
      readonly kind: 'one_off';
      /** The delay that the client gave as an interval, else null. */
      readonly intervalMs: number | null;
      readonly intervalText: string | null;
      /** The one time at which it runs; never before `since`. */
      readonly firstRun: number;
      readonly anchored: boolean;
    };

/** A job as it is stored. */
export type JobRow = {
  /** Unique for ever: never used again, even after the job was deleted. */
  readonly id: number;
  /** Grows with every change of the row. */
  readonly version: number;
  /** Stamp of the last change of schedule, Unix ms: the job owes nothing from before. */
  readonly since: number;
  readonly enabled: boolean;
  readonly routingKey: Uint8Array;
  readonly job: Uint8Array;
  readonly schedule: Schedule;
};

/** A one-off job whose only occurrence has settled: its row is to be deleted if it still has this version. */
export type SettledJob = { readonly id: number; readonly version: number };

/**
 * The key that the table is unique on: the first 16 bytes of SHA-256 over the exact bytes of (routing key, job).
 * The routing key's length stands before it, so that ("ab", "c") and ("a", "bc") differ.
 */
export function hashJobKey(key: JobKey): Buffer {
  const length = Buffer.byteLength(key.routingKey);
  const bytes = Buffer.allocUnsafe(1 + length + Buffer.byteLength(key.job));
  bytes[0] = length;
  bytes.write(key.routingKey, 1);
  bytes.write(key.job, 1 + length);
  return hash('sha256', bytes, 'buffer').subarray(0, 16);
}
