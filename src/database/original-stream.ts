import { createConnection } from 'mysql2';
import type { Timers } from '../clock.ts';
import type { MysqlConfig } from '../config.ts';
import { type OriginalTable, originalStatements, waitForReader } from './original-table.ts';
import { connectionOptions } from './session.ts';
import { SessionLost } from './sql-errors.ts';
import { type SqlValue, type Statement, sessionSettings } from './statements.ts';

/** A row as it is stored: nothing of it has been checked. */
export type OriginalRow = {
  /** Bytes of UTF-8, in arrays that hold until the next row is asked for. */
  readonly job: Uint8Array | null;
  readonly routingKey: Uint8Array | null;
  /** Seconds. */
  readonly interval: number | null;
  /** As `2026-01-31 12:00:00`, in UTC. */
  readonly nextRun: string | null;
};

/** How long the server waits for this side to read on, s. */
const WRITE_TIMEOUT = 3_600;

/** How long a row may take to come, ms: the first one comes at once, since nothing is sorted. */
const SILENCE = 60_000;

/**
 * Streams the table over a connection of its own, which takes no more than is read.
 *
 * @throws mysql2's error, or SessionLost
 */
export async function* readOriginal(
  config: MysqlConfig,
  original: OriginalTable,
  timers: Timers,
): AsyncGenerator<OriginalRow, void, undefined> {
  const connection = createConnection({ ...connectionOptions(config), rowsAsArray: true });
  // What breaks the connection is told by the query that runs; without a listener it would end the process.
  connection.on('error', () => {});
  try {
    // Queued by mysql2, one behind the other. The time zone matters where next_run is a TIMESTAMP.
    for (const { sql, values } of [sessionSettings(null), waitForReader(WRITE_TIMEOUT)])
      connection.query({ sql, values: values as SqlValue[] }, () => {});
    const { sql, values }: Statement = originalStatements(original).read();
    const rows = connection.query({ sql, values: values as SqlValue[], rowsAsArray: true }).stream();
    const iterator = rows[Symbol.asyncIterator]() as AsyncIterator<readonly unknown[]>;
    for (;;) {
      const timer = timers.set(
        () => rows.destroy(new SessionLost(`MySQL sent no row within ${SILENCE} ms`)),
        SILENCE,
      );
      const { done, value: row } = await iterator.next().finally(() => timers.clear(timer));
      if (done) return;
      yield {
        job: row[0] as Uint8Array | null,
        routingKey: row[1] as Uint8Array | null,
        interval: row[2] === null ? null : Number(row[2]),
        nextRun: row[3] as string | null,
      };
    }
  } finally {
    connection.destroy();
  }
}
