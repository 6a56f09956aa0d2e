import type { ResultSetHeader } from 'mysql2/promise';
import { publisherThreads } from '../../src/scheduler-thread/publisher-pool.ts';
import { addressOf, BARE, runThreads, type Took } from './bare.ts';
import type { Broker } from './baselines/connect.ts';
import type { PollingOptions, PollingTuning } from './baselines/polling.ts';
import type { BenchDatabase } from './database.ts';
import { writeOut } from './write-out.ts';

/** Found by trying (`tune.ts`): see README.md. */
export const POLLING: PollingTuning = {
  sessions: 4,
  batch: 1000,
  socketBuffer: BARE.socketBuffer,
  cork: BARE.cork,
};

/** The same jobs as Dalga's table holds, in one that a scheduler polls: with an index on the next run. */
export async function fillPolled(database: BenchDatabase): Promise<void> {
  const connection = await database.connect();
  try {
    await connection.query('DROP TABLE IF EXISTS polled');
    await connection.query(`CREATE TABLE polled (
      id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
      routing_key VARBINARY(255) NOT NULL,
      job VARBINARY(20000) NOT NULL,
      interval_ms BIGINT NOT NULL,
      next_run BIGINT NOT NULL,
      KEY next_run (next_run)
    ) ENGINE=InnoDB`);
    const [filled] = await connection.query<ResultSetHeader>(
      'INSERT INTO polled SELECT id, routing_key, job, interval_ms, first_run FROM dalga ORDER BY id',
    );
    await connection.query('ANALYZE TABLE polled');
    await writeOut(connection, filled.affectedRows);
  } finally {
    await connection.end();
  }
}

/** Runs each job of the table that is due by then (Unix ms) once. */
export function runPolling(
  database: BenchDatabase,
  rabbitmq: Broker,
  until: number,
  tuning = POLLING,
): Promise<Took> {
  const { host, port, user, password, database: name, table } = database;
  const program = new URL('./baselines/polling.js', import.meta.url);
  return runThreads<PollingOptions>(program, publisherThreads(0), {
    mysql: { host, port, user, password, database: name, table },
    rabbitmq: addressOf(rabbitmq),
    until,
    tuning,
  });
}
