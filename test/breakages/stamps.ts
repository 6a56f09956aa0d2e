import { decodeJobRow, encodeJobRow } from '../../src/database/job-row.ts';
import type { SqlRows, Statement } from '../../src/database/statements.ts';
import type { JobRow } from '../../src/job/job.ts';
import type { Change } from '../../src/protocol/main-scheduler.ts';
import { type Breakage, wrapSessions } from './breakage.ts';

/**
 * Stamps that are plain now: neither above earlier ones nor above a watermark that was sent. Each row is written,
 * posted and answered with such a stamp.
 *
 * @param now main's clock, Unix ms
 */
export function stampsArePlainNow(now: () => number): Breakage {
  const known = new Map<string, JobRow>();
  const plain = (row: JobRow): JobRow => {
    const name = nameOf(row);
    const rewritten = known.get(name) ?? withSince(row, Math.floor(now()));
    known.set(name, rewritten);
    return rewritten;
  };
  const plainChange = (change: Change): Change =>
    change.op === 'upsert' ? { op: 'upsert', row: plain(change.row) } : change;
  return {
    connect: wrapSessions((session) => ({
      run: (statement, deadline) => session.run(rewriteRows(statement, plain), deadline),
    })),
    mainPort: (port) => ({
      ...port,
      send: (command, transfer) => {
        if (command.type !== 'jobs.changed') port.send(command, transfer);
        else port.send({ ...command, changes: command.changes.map(plainChange) }, transfer);
      },
    }),
    answered: (row) => known.get(nameOf(row)) ?? row,
  };
}

/** A new owner knows nothing of the stamps of the last one, nor, for its own, of the last watermark. */
export function stampsStartAnew(): Breakage {
  let watermark = 0;
  return {
    connect: wrapSessions((session) => ({
      run: async (statement, deadline) => {
        const result = await session.run(statement, deadline);
        if (!/^SELECT epoch, owner, owner_host/.test(statement.sql)) return result;
        const rows = result.rows.map((row) => {
          watermark = row[LOOK.watermark] as number;
          return row.map((value, place) => (place === LOOK.watermark || place === LOOK.stamp ? 0 : value));
        });
        return { ...result, rows };
      },
    })),
    // The scheduler is not what is broken.
    init: (init) => ({ ...init, watermark }),
  };
}

/** A version of a row that was rolled back may come again with another stamp. */
function nameOf({ id, version, since }: JobRow): string {
  return `${id}.${version}.${since}`;
}

/** Columns of what a candidate looks at. */
const LOOK = { watermark: 9, stamp: 11 } as const;

/** The row as if it had been planned with another stamp. */
function withSince(row: JobRow, since: number): JobRow {
  const { schedule } = row;
  const { firstRun } = schedule;
  const shifted =
    firstRun === row.since || !schedule.anchored ? firstRun - row.since + since : Math.max(firstRun, 0);
  return { ...row, since, schedule: { ...schedule, firstRun: shifted } };
}

function rewriteRows(statement: Statement, rewrite: (row: JobRow) => JobRow): Statement {
  if (!/^INSERT INTO `[^`]*` \(key_hash, id, /.test(statement.sql)) return statement;
  const [rows] = statement.values as [SqlRows];
  const rewritten = rows.map(([hash, ...columns]) => [
    hash!,
    ...encodeJobRow(rewrite(decodeJobRow(columns))),
  ]);
  return { sql: statement.sql, values: [rewritten] };
}
