import type { JobRow, SettledJob } from '../job/job.ts';
import { encodeJobRow, JOB_ROW_COLUMNS, LEAN_COLUMNS, SCHEDULE_COLUMNS } from './job-row.ts';
import type { Statement } from './statement.ts';

/**
 * Every SQL statement of Dalga. All lie in what MySQL 8.0 and later and MariaDB 10.6 and later both speak: no
 * RETURNING, no FOR SHARE, no `AS new` alias. Times are the server's UTC_TIMESTAMP(3).
 */

export type { SqlRows, SqlValue, Statement } from './statement.ts';

/** Today all jobs are in one partition; each will have its own owner, lease, epoch and watermark. */
export const PARTITION = 0;

/** Ids that are compared in one statement: few enough for the range optimiser of the primary key. */
export const IDS_PER_STATEMENT = 200;

/** s, MySQL's shortest: a lock that is not to be had ends one statement, before a deadline ends the session. */
const LOCK_WAIT_TIMEOUT = 1;

const TABLE_NAME = /^[A-Za-z0-9_$-]{1,50}$/;

/** Quotes a table's name. @throws RangeError when it is not a name that Dalga takes */
export function quoteTable(table: string, suffix = ''): string {
  if (!TABLE_NAME.test(table)) {
    throw new RangeError('a table name has 1 to 50 letters, digits, or one of _ $ -');
  }
  return `\`${table}${suffix}\``;
}

export const transaction = {
  start: { sql: 'START TRANSACTION', values: [] },
  commit: { sql: 'COMMIT', values: [] },
  rollBack: { sql: 'ROLLBACK', values: [] },
} as const satisfies Record<string, Statement>;

/** @param lease ms; null for a session that holds no locks of the owner's */
export function sessionSettings(lease: number | null): Statement {
  const settings = [
    'autocommit = 1',
    "time_zone = '+00:00'",
    // Strict, so that nothing is ever cut silently; without NO_BACKSLASH_ESCAPES, since mysql2 escapes with them.
    "sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'",
  ];
  if (lease === null) return { sql: `SET ${settings.join(', ')}`, values: [] };
  // A frozen owner's open transaction would otherwise block a takeover for the server's eight hours.
  const waitTimeout = Math.max(1, Math.floor(lease / 2000));
  return {
    sql: `SET ${settings.join(', ')}, wait_timeout = ?, innodb_lock_wait_timeout = ?`,
    values: [waitTimeout, LOCK_WAIT_TIMEOUT],
  };
}

/** The sessions that this user may see: one's own are visible without the PROCESS privilege. */
export const processList: Statement = { sql: 'SHOW PROCESSLIST', values: [] };

export const serverVersion: Statement = { sql: 'SELECT VERSION()', values: [] };

export function killConnection(id: number): Statement {
  return { sql: 'KILL ?', values: [id] };
}

/** A name that is locked on the whole server. @param timeout s */
export function getLock(name: string, timeout: number): Statement {
  return { sql: 'SELECT GET_LOCK(?, ?)', values: [name, timeout] };
}

export function releaseLock(name: string): Statement {
  return { sql: 'SELECT RELEASE_LOCK(?)', values: [name] };
}

export type JobStatements = ReturnType<typeof jobStatements>;

/** The table of the jobs. */
export function jobStatements(tableName: string) {
  const table = quoteTable(tableName);
  const schedule = SCHEDULE_COLUMNS.join(', ');
  const lean = LEAN_COLUMNS.join(', ');
  const all = JOB_ROW_COLUMNS.join(', ');
  const updates = SCHEDULE_COLUMNS.filter((column) => column !== 'id')
    .map((column) => `${column} = VALUES(${column})`)
    .join(', ');
  /** Writes rows of new jobs. @throws an error with `isDuplicateKey` when one is there */
  const insert = (rows: readonly { readonly hash: Uint8Array; readonly row: JobRow }[]): Statement => ({
    sql: `INSERT INTO ${table} (key_hash, ${all}) VALUES ?`,
    values: [rows.map(({ hash, row }) => [hash, ...encodeJobRow(row)])],
  });
  return {
    /** Rows for `decodeScheduleRow`, with the key's hash after them; the key's bytes are known to who asks. */
    find: (hashes: readonly Uint8Array[]): Statement => ({
      sql: `SELECT ${schedule}, key_hash FROM ${table} WHERE key_hash IN (${marks(hashes.length)})`,
      values: hashes,
    }),

    /** The same with the length of each payload in its place, since many of them may be large. */
    findLean: (hashes: readonly Uint8Array[]): Statement => ({
      sql: `SELECT ${lean}, key_hash FROM ${table} WHERE key_hash IN (${marks(hashes.length)})`,
      values: hashes,
    }),

    /** Columns: id, payload. */
    payloads: (ids: readonly number[]): Statement => ({
      sql: `SELECT id, payload FROM ${table} WHERE id IN (${marks(ids.length)})`,
      values: ids,
    }),

    /** The next rows in the order of their ids, for `decodeJobRow`: what the scheduler loads. */
    load: (afterId: number): Statement => ({
      sql: `SELECT ${all} FROM ${table} WHERE id > ? ORDER BY id`,
      values: [afterId],
    }),

    /** The same, so many of them. */
    page: (afterId: number, count: number): Statement => ({
      sql: `SELECT ${all} FROM ${table} WHERE id > ? ORDER BY id LIMIT ?`,
      values: [afterId, count],
    }),

    /** One row: how many jobs there are, and the bytes of all their bodies: of the payload, or else of the job. */
    measure: (): Statement => ({
      sql: `SELECT COUNT(*), CAST(COALESCE(SUM(LENGTH(COALESCE(payload, job))), 0) AS SIGNED) FROM ${table}`,
      values: [],
    }),

    /** One row: how many jobs were planned after a time. @param time Unix ms */
    plannedAfter: (time: number): Statement => ({
      sql: `SELECT COUNT(*) FROM ${table} WHERE since > ?`,
      values: [time],
    }),

    insert,

    /** Writes rows whole, new ones and changed ones alike. */
    upsert: (rows: Parameters<typeof insert>[0]): Statement => {
      const { sql, values } = insert(rows);
      return { sql: `${sql} ON DUPLICATE KEY UPDATE ${updates}`, values };
    },

    remove: (ids: readonly number[]): Statement => ({
      sql: `DELETE FROM ${table} WHERE id IN (${marks(ids.length)})`,
      values: ids,
    }),

    /** Lazy deletion is by id and version, so that a change in between wins. */
    removeSettled: (jobs: readonly SettledJob[]): Statement => ({
      sql: `DELETE FROM ${table} WHERE ${jobs.map(() => '(id = ? AND version = ?)').join(' OR ')}`,
      values: jobs.flatMap(({ id, version }) => [id, version]),
    }),

    /** Which of the ids are there. */
    existing: (ids: readonly number[]): Statement => ({
      sql: `SELECT id FROM ${table} WHERE id IN (${marks(ids.length)})`,
      values: ids,
    }),

    /** Fails when the table is not one of Dalga's, as an earlier Dalga's would. */
    probe: (): Statement => ({ sql: `SELECT key_hash, since, options FROM ${table} LIMIT 0`, values: [] }),
  };
}

/** As many places for values. */
export function marks(count: number): string {
  return '?, '.repeat(count).slice(0, -2);
}

/** About how many jobs there are, from the server's statistics: counting them would read the whole table. */
export function estimateJobs(tableName: string): Statement {
  return {
    sql: 'SELECT TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?',
    values: [tableName],
  };
}
