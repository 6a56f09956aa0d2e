import { type Readable, Transform } from 'node:stream';
import { createConnection } from 'mysql2';
import type { MysqlConfig } from '../config.ts';
import { decodeJobRow } from './job-row.ts';
import { connectionOptions, openSession } from './session.ts';
import { estimateJobs, jobStatements, type SqlValue } from './statements.ts';

export type JobStream = {
  /** JobRows by ascending id; their bytes are views that hold only until the next row is asked for. */
  readonly rows: Readable;
  /** About how many jobs the table has. */
  readonly total: number;
  /** Ends the connection. */
  close(): void;
};

/**
 * Reads the jobs whose id is above `afterId` as one consistent snapshot, over a connection of its own. The stream
 * fails when the connection is lost.
 */
export async function openJobStream(config: MysqlConfig, afterId: number): Promise<JobStream> {
  const total = await estimate(config);
  const connection = createConnection(connectionOptions(config));
  const { sql, values } = jobStatements(config.table).load(afterId);
  const raw = connection.query({ sql, values: values as SqlValue[], rowsAsArray: true }).stream();
  const rows = new Transform({
    objectMode: true,
    highWaterMark: 1024,
    transform: (row: unknown[], _encoding, done) => done(null, decodeJobRow(row)),
  });
  raw.on('error', (error) => rows.destroy(error));
  connection.on('error', (error) => rows.destroy(error));
  raw.pipe(rows);
  return { rows, total, close: () => connection.destroy() };
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
