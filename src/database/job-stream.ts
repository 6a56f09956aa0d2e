import { createConnection } from 'mysql2';
import { systemTimers, type Timers } from '../clock.ts';
import type { MysqlConfig } from '../config.ts';
import { StartupError } from '../errors.ts';
import type { JobRow } from '../job/job.ts';
import { decodeJobRow } from './job-row.ts';
import { COUNT_DEADLINE, connectionOptions, openSession } from './session.ts';
import { SessionLost } from './sql-errors.ts';
import { estimateJobs, jobStatements, type SqlValue } from './statements.ts';

export type JobStream = {
  /** About how many jobs the table has. */
  readonly total: number;
  /**
   * Calls `onRow` for each job by ascending id, as the rows arrive; the row's bytes are views that hold only during
   * the call. Each chunk of the socket is a turn of the event loop of its own.
   *
   * @throws what `onRow` throws; StartupError for a row that this program does not know; SessionLost, or mysql2's
   *   error, when the connection is lost or silent
   */
  read(onRow: (row: JobRow) => void): Promise<void>;
  /** Ends the connection. */
  close(): void;
};

/** A server that sends nothing for this long is taken for gone, ms: the login is part of it. */
const SILENCE_LIMIT = 10_000;

/** Reads the jobs whose id is above `afterId` as one consistent snapshot, over a connection of its own. */
export async function openJobStream(
  config: MysqlConfig,
  afterId: number,
  timers: Timers = systemTimers,
): Promise<JobStream> {
  const total = await estimate(config);
  const connection = createConnection(connectionOptions(config));
  const { sql, values } = jobStatements(config.table).load(afterId);
  const read = (onRow: (row: JobRow) => void): Promise<void> => {
    let rows = 0;
    return watched(
      timers,
      () => rows,
      new Promise((resolve, reject) => {
        connection.on('error', reject);
        const query = connection.query({ sql, values: values as SqlValue[], rowsAsArray: true });
        query.on('error', reject);
        query.on('result', (row) => {
          try {
            onRow(decode(row as unknown as unknown[]));
            rows++;
          } catch (error) {
            connection.destroy();
            reject(error);
          }
        });
        query.on('end', () => resolve());
      }),
    );
  };
  return { total, read, close: () => connection.destroy() };
}

/** How many jobs the table has, and how many bytes their bodies take. */
export async function measureJobs(config: MysqlConfig): Promise<{ jobs: number; bodyBytes: number }> {
  const session = await openSession(config);
  try {
    const { rows } = await session.run(jobStatements(config.table).measure(), COUNT_DEADLINE);
    return { jobs: Number(rows[0]?.[0] ?? 0), bodyBytes: Number(rows[0]?.[1] ?? 0) };
  } finally {
    session.destroy();
  }
}

function decode(row: readonly unknown[]): JobRow {
  try {
    return decodeJobRow(row);
  } catch (error) {
    throw new StartupError(`the table cannot be loaded: ${(error as Error).message}`, { cause: error });
  }
}

/** The promise's outcome, or SessionLost when what is counted stands still for too long. */
async function watched(timers: Timers, count: () => number, reading: Promise<void>): Promise<void> {
  let timer: unknown;
  const silent = new Promise<never>((_resolve, reject) => {
    let before = -1;
    const look = () => {
      if (count() === before) reject(new SessionLost(`MySQL sent nothing for ${SILENCE_LIMIT} ms`));
      before = count();
      timer = timers.set(look, SILENCE_LIMIT);
    };
    look();
  });
  try {
    await Promise.race([reading, silent]);
  } finally {
    timers.clear(timer);
  }
}

async function estimate(config: MysqlConfig): Promise<number> {
  const session = await openSession(config);
  try {
    const { rows } = await session.run(estimateJobs(config.table));
    return Number(rows[0]?.[0] ?? 0);
  } finally {
    session.destroy();
  }
}
