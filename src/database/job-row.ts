import type { JobRow, Schedule } from '../job/job.ts';
import type { SqlValue } from './statement.ts';

/** What a row says but for the key's bytes, in the order of `decodeScheduleRow`. */
export const SCHEDULE_COLUMNS = [
  'id',
  'version',
  'since',
  'enabled',
  'kind',
  'interval_ms',
  'interval_text',
  'first_run',
  'anchored',
] as const;

/** A whole row, in the order of `decodeJobRow`. */
export const JOB_ROW_COLUMNS = [...SCHEDULE_COLUMNS, 'routing_key', 'job'] as const;

/** Positions in a row of `JOB_ROW_COLUMNS`, for the loader, which puts the bytes into its arena without a copy. */
export const ROUTING_KEY_COLUMN = SCHEDULE_COLUMNS.length;
export const JOB_COLUMN = SCHEDULE_COLUMNS.length + 1;

/** The column `kind`. */
const KIND = { interval: 0, one_off: 1 } as const;

/** The key's bytes, in arrays of their own. */
export type KeyBytes = Pick<JobRow, 'routingKey' | 'job'>;

/** Decodes the columns of `SCHEDULE_COLUMNS`. @throws RangeError when it is a row of a kind that is not known */
export function decodeScheduleRow(row: readonly unknown[], key: KeyBytes): JobRow {
  return {
    id: row[0] as number,
    version: row[1] as number,
    since: row[2] as number,
    enabled: row[3] !== 0,
    routingKey: key.routingKey,
    job: key.job,
    schedule: decodeSchedule(row),
  };
}

/**
 * Decodes the columns of `JOB_ROW_COLUMNS`. The bytes are those that mysql2 gave out: views into a larger
 * buffer, to be copied before the row is kept or posted (a posted view takes its whole buffer along).
 */
export function decodeJobRow(row: readonly unknown[]): JobRow {
  return decodeScheduleRow(row, {
    routingKey: row[ROUTING_KEY_COLUMN] as Uint8Array,
    job: row[JOB_COLUMN] as Uint8Array,
  });
}

/** The values of `JOB_ROW_COLUMNS`. */
export function encodeJobRow({ id, version, since, enabled, schedule, routingKey, job }: JobRow): SqlValue[] {
  const { kind, intervalMs, intervalText, firstRun, anchored } = schedule;
  const text = intervalText === null ? null : Buffer.from(intervalText, 'utf8');
  return [
    ...[id, version, since, Number(enabled), KIND[kind], intervalMs, text, firstRun, Number(anchored)],
    ...[routingKey, job],
  ];
}

function decodeSchedule(row: readonly unknown[]): Schedule {
  const intervalMs = row[5] as number | null;
  const text = row[6] as Buffer | null;
  const intervalText = text === null ? null : text.toString('utf8');
  const firstRun = row[7] as number;
  const anchored = row[8] !== 0;
  if (row[4] === KIND.one_off) return { kind: 'one_off', intervalMs, intervalText, firstRun, anchored };
  if (row[4] === KIND.interval && intervalMs !== null) {
    return { kind: 'interval', intervalMs, intervalText, firstRun, anchored };
  }
  throw new RangeError(`job ${row[0]} is of a kind (${row[4]}) that this version does not know`);
}
