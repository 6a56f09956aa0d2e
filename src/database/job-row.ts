import type { JobRow, MessageOptions, Rules, Schedule } from '../job/job.ts';
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
  'options',
  'payload',
] as const;

/** Those with the length of the payload in its place: null where there is none. */
export const LEAN_COLUMNS = SCHEDULE_COLUMNS.map((column) =>
  column === 'payload' ? 'LENGTH(payload)' : column,
);

/** Position of the payload, or its length. */
export const PAYLOAD_COLUMN = SCHEDULE_COLUMNS.indexOf('payload');

/** A whole row, in the order of `decodeJobRow`. */
export const JOB_ROW_COLUMNS = [...SCHEDULE_COLUMNS, 'routing_key', 'job'] as const;

/** Positions in a row of `JOB_ROW_COLUMNS`, for the loader, which puts the bytes into its arena without a copy. */
export const ROUTING_KEY_COLUMN = SCHEDULE_COLUMNS.length;
export const JOB_COLUMN = SCHEDULE_COLUMNS.length + 1;

/** The column `kind`. */
export const KIND = { interval: 0, one_off: 1, calendar: 2, cron: 3 } as const;

/** The column `options`, as JSON: what few jobs have. */
type OptionsColumn = {
  readonly cron?: string | undefined;
  readonly rules?: Rules | undefined;
  readonly message?: MessageOptions | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly note?: string | undefined;
};

const NO_OPTIONS: OptionsColumn = {};

/** The key's bytes, in arrays of their own. */
export type KeyBytes = Pick<JobRow, 'routingKey' | 'job'>;

/** Decodes the columns of `SCHEDULE_COLUMNS`. @throws RangeError when it is a row of a kind that is not known */
export function decodeScheduleRow(row: readonly unknown[], key: KeyBytes): JobRow {
  const text = row[9] as Buffer | null;
  const payload = row[PAYLOAD_COLUMN] as Buffer | null;
  const options = text === null ? NO_OPTIONS : (JSON.parse(text.toString('utf8')) as OptionsColumn);
  // Without a spread: it is done a million times at a start.
  const base = {
    id: row[0] as number,
    version: row[1] as number,
    since: row[2] as number,
    enabled: row[3] !== 0,
    routingKey: key.routingKey,
    job: key.job,
    schedule: decodeSchedule(row, options),
  };
  if (text === null && payload === null) return base;
  return {
    ...base,
    message: options.message,
    // An array of its own, since it may be posted.
    payload: payload === null ? undefined : new Uint8Array(payload),
    tags: options.tags,
    note: options.note,
  };
}

/**
 * Decodes the columns of `JOB_ROW_COLUMNS`. The key's bytes are those that mysql2 gave out: views into a larger
 * buffer, to be copied before the row is kept or posted (a posted view takes its whole buffer along).
 */
export function decodeJobRow(row: readonly unknown[]): JobRow {
  return decodeScheduleRow(row, {
    routingKey: row[ROUTING_KEY_COLUMN] as Uint8Array,
    job: row[JOB_COLUMN] as Uint8Array,
  });
}

/** The values of `JOB_ROW_COLUMNS`. */
export function encodeJobRow(row: JobRow): SqlValue[] {
  const { id, version, since, enabled, schedule, routingKey, job } = row;
  const { kind, intervalMs, intervalText, firstRun, anchored } = schedule;
  const text = intervalText === null ? null : Buffer.from(intervalText, 'utf8');
  return [
    id,
    version,
    since,
    Number(enabled),
    KIND[kind],
    intervalMs,
    text,
    firstRun,
    Number(anchored),
    encodeOptions(row),
    row.payload ?? null,
    routingKey,
    job,
  ];
}

function encodeOptions({ schedule, message, tags, note }: JobRow): SqlValue {
  const { rules } = schedule;
  const cron = schedule.kind === 'cron' ? schedule.cron : undefined;
  if ((cron ?? rules ?? message ?? tags ?? note) === undefined) return null;
  const options: OptionsColumn = { cron, rules, message, tags, note };
  return Buffer.from(JSON.stringify(options), 'utf8');
}

function decodeSchedule(row: readonly unknown[], { cron, rules }: OptionsColumn): Schedule {
  const intervalMs = row[5] as number | null;
  const text = row[6] as Buffer | null;
  const intervalText = text === null ? null : text.toString('utf8');
  const firstRun = row[7] as number;
  const anchored = row[8] !== 0;
  const kind = row[4];
  if (kind === KIND.interval && intervalMs !== null && rules === undefined) {
    return { kind: 'interval', intervalMs, intervalText, firstRun, anchored };
  }
  // Most have none: then the key is left out, which is quicker to post and to compare.
  const given = rules === undefined ? { firstRun, anchored } : { firstRun, anchored, rules };
  if (kind === KIND.one_off) return { kind: 'one_off', intervalMs, intervalText, ...given };
  if (kind === KIND.interval && intervalMs !== null) {
    return { kind: 'interval', intervalMs, intervalText, ...given };
  }
  if (kind === KIND.calendar && intervalText !== null) {
    return { kind: 'calendar', intervalMs: null, intervalText, ...given };
  }
  if (kind === KIND.cron && cron !== undefined) {
    return { kind: 'cron', intervalMs: null, intervalText: null, cron, ...given };
  }
  throw new RangeError(`job ${row[0]} is of a kind (${kind}) that this version does not know`);
}

/** A job as a walk meets it, for those that write to it; its bytes are in arrays of their own. */
export type NamedRow = KeyBytes & {
  readonly id: number;
  readonly version: number;
  readonly hash: Uint8Array;
  readonly tags: readonly string[];
};

/** Decodes the columns of `named` in list-statements.ts. */
export function decodeNamed(row: readonly unknown[]): NamedRow {
  const options = row[6] as Buffer | null;
  return {
    routingKey: new Uint8Array(row[0] as Buffer),
    id: row[2] as number,
    hash: new Uint8Array(row[3] as Buffer),
    job: new Uint8Array(row[4] as Buffer),
    version: row[5] as number,
    tags: options === null ? [] : ((JSON.parse(options.toString('utf8')) as OptionsColumn).tags ?? []),
  };
}
