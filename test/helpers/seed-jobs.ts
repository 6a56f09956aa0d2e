import type { MysqlConfig } from '../../src/config.ts';
import { openSession } from '../../src/database/session.ts';
import { jobStatements, quoteTable } from '../../src/database/statements.ts';
import type { JobRow } from '../../src/job/job.ts';
import { nameJob } from '../../src/job/named-job.ts';
import { createTables } from '../../src/main-thread/store/schema-check.ts';
import { intervalRow, oneOffRow } from './rows.ts';

/** A job of a load: intervals and times in ms, `intervalMs` null for a one-off. */
export type SeedJob = {
  readonly job: string;
  readonly intervalMs: number | null;
  /** Unix ms. */
  readonly firstRun: number;
};

/** Rows in one statement: the server's packets are 16 MiB at most. */
const ROWS_PER_STATEMENT = 5000;

/** Statements that are on their way at a time, each over a session of its own. */
const SESSIONS = 2;

/**
 * Puts jobs straight into the table, which it makes first; nothing may own it. Hundreds of thousands of requests
 * would take minutes.
 *
 * @param since Unix ms: the jobs owe nothing from before
 */
export async function seedJobs(
  mysql: MysqlConfig,
  routingKey: string,
  jobs: readonly SeedJob[],
  since: number,
): Promise<void> {
  await createTables(mysql);
  const statements = jobStatements(mysql.table);
  let next = 0;
  const insert = async (): Promise<void> => {
    const session = await openSession(mysql, { deadline: 60_000 });
    while (next < jobs.length) {
      const first = next;
      next += ROWS_PER_STATEMENT;
      const rows = jobs.slice(first, next).map((seed, index) => {
        const row = rowOf(seed, first + index + 1, routingKey, since);
        return { hash: nameJob({ routingKey, job: seed.job }).hash, row };
      });
      await session.run(statements.upsert(rows));
    }
    await session.close();
  };
  await Promise.all(Array.from({ length: SESSIONS }, insert));

  const session = await openSession(mysql);
  await session.run({
    sql: `UPDATE ${quoteTable(mysql.table, '_state')} SET next_id = ?, stamp = ?`,
    values: [jobs.length + 1, since],
  });
  await session.close();
}

function rowOf({ job, intervalMs, firstRun }: SeedJob, id: number, key: string, since: number): JobRow {
  if (intervalMs === null) return oneOffRow(id, firstRun, { key, name: job, since });
  const row = intervalRow(id, intervalMs, firstRun, { key, name: job, since });
  return { ...row, schedule: { ...row.schedule, anchored: true } };
}
