import { createConnection } from 'mysql2';
import type { MysqlConfig } from '../config.ts';
import type { JobRow } from '../job/job.ts';
import { decodeJobRow } from './job-row.ts';
import { connectionOptions, openSession } from './session.ts';
import { estimateJobs, jobStatements, type SqlValue } from './statements.ts';

export type JobStream = {
  /** About how many jobs the table has. */
  readonly total: number;
  /**
   * Calls `onRow` for each job by ascending id, as the rows arrive; the row's bytes are views that hold only during
   * the call. Each chunk of the socket is a turn of the event loop of its own. Rejects when the connection is lost.
   */
  read(onRow: (row: JobRow) => void): Promise<void>;
  /** Ends the connection. */
  close(): void;
};

/** Reads the jobs whose id is above `afterId` as one consistent snapshot, over a connection of its own. */
export async function openJobStream(config: MysqlConfig, afterId: number): Promise<JobStream> {
  const total = await estimate(config);
  const connection = createConnection(connectionOptions(config));
  const { sql, values } = jobStatements(config.table).load(afterId);
  return {
    total,
    read: (onRow) =>
      new Promise((resolve, reject) => {
        connection.on('error', reject);
        const query = connection.query({ sql, values: values as SqlValue[], rowsAsArray: true });
        query.on('error', reject);
        query.on('result', (row) => onRow(decodeJobRow(row as unknown as unknown[])));
        query.on('end', () => resolve());
      }),
    close: () => connection.destroy(),
  };
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
