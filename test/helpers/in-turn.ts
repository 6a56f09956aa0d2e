import type { SqlResult, SqlSession } from '../../src/database/session.ts';
import { SequenceFailed, sessionEnds } from '../../src/database/sql-errors.ts';

/** `runAll` by way of `run`: whoever interferes with single statements sees each of a sequence. */
export function inTurn(run: SqlSession['run']): SqlSession['runAll'] {
  return async (statements, deadline) => {
    const results: SqlResult[] = [];
    for (const statement of statements) {
      try {
        results.push(await run(statement, deadline));
      } catch (error) {
        throw sessionEnds(error) ? error : new SequenceFailed(results.length, error);
      }
    }
    return results;
  };
}
