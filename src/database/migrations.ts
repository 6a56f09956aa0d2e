import { createHash, randomInt } from 'node:crypto';
import type { SqlSession } from './session.ts';
import { isDuplicateColumn, isNoSuchTable } from './sql-errors.ts';
import type { Statement } from './statements.ts';
import { getLock, PARTITION, quoteTable, releaseLock } from './statements.ts';

/**
 * The schema, as versioned migrations. MySQL commits before and after each statement that defines something, so a
 * crash can leave a migration half done: each is written so that it can be run again from its beginning.
 */
type Migration = { readonly version: number; readonly statements: (table: string) => readonly Statement[] };

const TAG_ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz';

const MIGRATIONS: readonly Migration[] = [
  { version: 1, statements: firstVersion },
  { version: 2, statements: schedulesAndMessages },
  { version: 3, statements: runsByHand },
];

/** The version of the schema that this program works with. */
export const SCHEMA_VERSION = 3;

/** s. */
const LOCK_TIMEOUT = 30;

/** ms: an ALTER of a large table takes its time. */
const MIGRATION_DEADLINE = 3_600_000;

/**
 * Brings the tables up to date, under a lock of the server's, so that of two instances that start together one
 * waits for the other.
 *
 * @throws MigrationRefused when the tables are newer than this program, or the lock cannot be had
 */
export async function migrate(session: SqlSession, database: string, table: string): Promise<void> {
  const name = `dalga.${createHash('sha256').update(`${database}.${table}`).digest('hex').slice(0, 32)}`;
  const lock = await session.run(getLock(name, LOCK_TIMEOUT), (LOCK_TIMEOUT + 5) * 1000);
  if (lock.rows[0]?.[0] !== 1)
    throw new MigrationRefused('another instance is changing the tables; try again');
  try {
    const current = await schemaVersion(session, table);
    if (current === 0) await session.run(createMigrationTable(table));
    if (current > SCHEMA_VERSION) throw new MigrationRefused(newerSchema(current));
    for (const { version, statements } of MIGRATIONS) {
      if (version <= current) continue;
      for (const statement of statements(table)) await apply(session, statement);
      await session.run(recordMigration(table, version));
    }
  } finally {
    if (session.usable) await session.run(releaseLock(name));
  }
}

/** One that defines columns was done as a whole or not at all: where they are there it was done before. */
async function apply(session: SqlSession, statement: Statement): Promise<void> {
  try {
    await session.run(statement, MIGRATION_DEADLINE);
  } catch (error) {
    if (!isDuplicateColumn(error)) throw error;
  }
}

export class MigrationRefused extends Error {
  override readonly name = 'MigrationRefused';
}

export function newerSchema(version: number): string {
  return `the tables are of version ${version}, this program knows ${SCHEMA_VERSION}; run a newer Dalga`;
}

/** The version of the tables as they are; 0 when there are none, or no migration has finished. */
export async function schemaVersion(session: SqlSession, table: string): Promise<number> {
  try {
    const { rows } = await session.run(readVersion(table));
    return (rows[0]?.[0] as number | null) ?? 0;
  } catch (error) {
    if (isNoSuchTable(error)) return 0;
    throw error;
  }
}

export function readVersion(table: string): Statement {
  return { sql: `SELECT MAX(version) FROM ${quoteTable(table, '_migration')}`, values: [] };
}

export function recordMigration(table: string, version: number): Statement {
  return {
    sql: `INSERT IGNORE INTO ${quoteTable(table, '_migration')} (version, applied_at) VALUES (?, UTC_TIMESTAMP(3))`,
    values: [version],
  };
}

export function createMigrationTable(table: string): Statement {
  return define(`CREATE TABLE IF NOT EXISTS ${quoteTable(table, '_migration')} (
    version INT UNSIGNED NOT NULL COMMENT 'a migration that was applied completely',
    applied_at DATETIME(3) NOT NULL COMMENT 'UTC',
    PRIMARY KEY (version)
  ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin`);
}

/** All statements of all migrations, for the test that parses them. */
export function migrationStatements(table: string): readonly Statement[] {
  return MIGRATIONS.flatMap(({ statements }) => statements(table));
}

function firstVersion(table: string): readonly Statement[] {
  return [
    // Names are bytes: a character set would make jobs that differ in case or accents the same.
    define(`CREATE TABLE IF NOT EXISTS ${quoteTable(table)} (
      id BIGINT UNSIGNED NOT NULL COMMENT 'given by the owner from next_id and never again: part of message_id',
      key_hash BINARY(16) NOT NULL COMMENT 'SHA-256, cut, over the bytes of (routing_key, job): see named-job.ts',
      routing_key VARBINARY(255) NOT NULL COMMENT 'UTF-8',
      job VARBINARY(20000) NOT NULL COMMENT 'UTF-8',
      version BIGINT UNSIGNED NOT NULL COMMENT 'grows with every change of the row',
      since BIGINT NOT NULL COMMENT 'Unix ms: stamp of the last change of schedule; it owes nothing from before',
      enabled TINYINT NOT NULL COMMENT '0: paused',
      kind TINYINT NOT NULL COMMENT '0: at first_run + k * interval_ms; 1: once, at first_run',
      interval_ms BIGINT NULL COMMENT 'ms; of kind 1: the delay that the client gave',
      interval_text VARBINARY(64) NULL COMMENT 'the ISO 8601 duration, where the client gave one',
      first_run BIGINT NOT NULL COMMENT 'Unix ms: the phase, or the one time',
      anchored TINYINT NOT NULL COMMENT '1: the client named first_run',
      PRIMARY KEY (id),
      UNIQUE KEY key_hash (key_hash)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin`),
    define(`CREATE TABLE IF NOT EXISTS ${quoteTable(table, '_state')} (
      partition_id SMALLINT UNSIGNED NOT NULL COMMENT 'each has its own owner; today there is partition 0',
      epoch BIGINT UNSIGNED NOT NULL COMMENT 'grows at every change of owner: the fence',
      owner VARCHAR(36) NULL COMMENT 'instance id; NULL: the lease was released',
      owner_host VARCHAR(255) NULL COMMENT 'host name of the last owner',
      owner_address VARCHAR(255) NULL COMMENT 'HTTP address of the last owner',
      owner_connection BIGINT UNSIGNED NULL COMMENT 'CONNECTION_ID() of the session that the owner writes with',
      lease_until DATETIME(3) NULL COMMENT 'UTC; NULL: released',
      lease_ms BIGINT UNSIGNED NOT NULL COMMENT 'length of the lease, ms',
      renewals BIGINT UNSIGNED NOT NULL COMMENT 'grows at every renewal: a standby sees whether any came',
      batch BIGINT UNSIGNED NOT NULL COMMENT 'number of the last committed transaction: tells a lost COMMIT',
      stamp BIGINT NOT NULL COMMENT 'Unix ms: the highest stamp that was given to a change',
      next_id BIGINT UNSIGNED NOT NULL COMMENT 'id of the next new job',
      watermark BIGINT NOT NULL COMMENT 'Unix ms: every occurrence before it is settled or is an exception',
      exceptions LONGBLOB NOT NULL COMMENT 'unsettled occurrences before the watermark: see exceptions.ts',
      tag CHAR(4) NOT NULL COMMENT 'random: makes message_id unique across deployments',
      PRIMARY KEY (partition_id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin`),
    define(`CREATE TABLE IF NOT EXISTS ${quoteTable(table, '_instance')} (
      partition_id SMALLINT UNSIGNED NOT NULL COMMENT 'what it waits to own',
      instance_id VARCHAR(36) NOT NULL,
      host VARCHAR(255) NOT NULL COMMENT 'host name',
      address VARCHAR(255) NOT NULL COMMENT 'HTTP address',
      connection_id BIGINT UNSIGNED NOT NULL COMMENT 'CONNECTION_ID() of its session',
      seen_at DATETIME(3) NOT NULL COMMENT 'UTC: when it last said that it waits',
      PRIMARY KEY (partition_id, instance_id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin`),
    {
      sql:
        `INSERT IGNORE INTO ${quoteTable(table, '_state')} ` +
        '(partition_id, epoch, lease_ms, renewals, batch, stamp, next_id, watermark, exceptions, tag) ' +
        "VALUES (?, 0, 0, 0, 0, 0, 1, 0, '', ?)",
      values: [PARTITION, newTag()],
    },
  ];
}

/** Cron and calendar schedules, what messages may have, and the order in which jobs are listed. */
function schedulesAndMessages(table: string): readonly Statement[] {
  return [
    define(`ALTER TABLE ${quoteTable(table)}
      MODIFY COLUMN kind TINYINT NOT NULL
        COMMENT '0: at first_run + k * interval_ms; 1: once, at first_run; 2: first_run + k * interval_text; 3: cron',
      ADD COLUMN options MEDIUMBLOB NULL COMMENT 'JSON: what few jobs have, see job-row.ts' AFTER anchored,
      ADD COLUMN payload LONGBLOB NULL COMMENT 'the body of its messages, where it is not the job' AFTER options,
      ADD COLUMN job_start VARBINARY(200) GENERATED ALWAYS AS (LEFT(job, 200)) VIRTUAL
        COMMENT 'jobs are listed in the order of this',
      ADD KEY by_name (routing_key, job_start, id)`),
  ];
}

/** What was asked for beside the schedules. */
function runsByHand(table: string): readonly Statement[] {
  return [
    define(`CREATE TABLE IF NOT EXISTS ${quoteTable(table, '_backfill')} (
      id BIGINT UNSIGNED NOT NULL COMMENT 'given by the owner from next_id and never again: part of message_id',
      job_id BIGINT UNSIGNED NOT NULL COMMENT 'the job; without it the row counts for nothing, and is deleted soon',
      kind TINYINT NOT NULL COMMENT '0: one run; 1: the scheduled times from from_time on, before to_time',
      from_time BIGINT NULL COMMENT 'Unix ms; of kind 0: NULL',
      to_time BIGINT NULL COMMENT 'Unix ms; of kind 0: NULL',
      position BIGINT NOT NULL COMMENT 'Unix ms: every time before it is published; moves with the checkpoint',
      ahead VARBINARY(512) NOT NULL COMMENT 'times after it that are published too: 64-bit Unix ms, little-endian',
      published BIGINT UNSIGNED NOT NULL COMMENT 'messages so far',
      created BIGINT NOT NULL COMMENT 'Unix ms: stamp of the request; of kind 0 the time of its message',
      PRIMARY KEY (id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin`),
  ];
}

function define(sql: string): Statement {
  return { sql, values: [] };
}

/** Four random characters that stand first in every message_id. */
export function newTag(): string {
  return Array.from({ length: 4 }, () => TAG_ALPHABET[randomInt(TAG_ALPHABET.length)]).join('');
}
