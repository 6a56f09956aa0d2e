import type { SqlResult } from '../../src/database/session.ts';
import type { Statement } from '../../src/database/statements.ts';
import { type Breakage, wrapSessions } from './breakage.ts';

const DONE: SqlResult = { rows: [], affectedRows: 0 };

/** A change is answered when its COMMIT is sent, not when that is answered. */
export function answerBeforeCommit(): Breakage {
  return {
    connect: wrapSessions((session) => {
      let committed: Promise<unknown> = Promise.resolve();
      return {
        run: async (statement, deadline) => {
          if (statement.sql !== 'COMMIT') {
            await committed;
            return session.run(statement, deadline);
          }
          committed = session.run(statement, deadline).catch(() => {});
          return DONE;
        },
      };
    }),
  };
}

/** What became of a COMMIT that was not answered is not found out: it is taken for rolled back. */
export function lostCommitIsRollback(): Breakage {
  let lost = false;
  return {
    connect: wrapSessions((session) => ({
      run: async (statement, deadline) => {
        try {
          const result = await session.run(statement, deadline);
          if (!lost || !isLock(statement)) return result;
          lost = false;
          // epoch, owner, batch, ...: the number of an earlier batch.
          return {
            ...result,
            rows: result.rows.map(([epoch, owner, batch, ...rest]) => [
              epoch,
              owner,
              Number(batch) - 1000,
              ...rest,
            ]),
          };
        } catch (error) {
          if (statement.sql === 'COMMIT') lost = true;
          throw error;
        }
      },
    })),
  };
}

/** An owner never looks whether it still is one. */
export function noFence(): Breakage {
  let own: readonly unknown[] | null = null;
  return {
    connect: wrapSessions((session) => ({
      run: async (statement, deadline) => {
        const result = await session.run(unfenced(statement), deadline);
        if (!isLock(statement)) {
          if (takesOver(statement)) own = null;
          return result;
        }
        const [epoch, owner, ...rest] = result.rows[0] ?? [];
        own ??= [epoch, owner];
        return { ...result, rows: [[...own, ...rest]] };
      },
    })),
  };
}

/** A settled job is deleted by its id alone. */
export function deletionByIdOnly(): Breakage {
  return {
    connect: wrapSessions((session) => ({
      run: (statement, deadline) => {
        const [, table, condition] =
          /^(DELETE FROM `[^`]*` WHERE )(\(id = \? AND version = \?\).*)$/.exec(statement.sql) ?? [];
        if (table === undefined) return session.run(statement, deadline);
        const sql = table + condition!.replaceAll('(id = ? AND version = ?)', 'id = ?');
        return session.run({ sql, values: statement.values.filter((_, place) => place % 2 === 0) }, deadline);
      },
    })),
  };
}

function isLock({ sql }: Statement): boolean {
  return /^SELECT epoch, owner, batch, .*_state` .*FOR UPDATE$/.test(sql);
}

function takesOver({ sql }: Statement): boolean {
  return /^UPDATE `[^`]*_state` SET epoch = \?/.test(sql);
}

function unfenced(statement: Statement): Statement {
  const { sql, values } = statement;
  if (!/^UPDATE `[^`]*_state` SET .* AND epoch = \?$/.test(sql)) return statement;
  return { sql: sql.replace(/ AND epoch = \?$/, ''), values: values.slice(0, -1) };
}
