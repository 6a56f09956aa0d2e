import type { MysqlConfig } from '../config.ts';
import type { SqlSession } from './session.ts';
import { isUnknownThread } from './sql-errors.ts';
import { killConnection, processList } from './statements.ts';

/**
 * Whether the server still has this connection of ours. A server that was started anew gives the same numbers
 * out again, so one that belongs to another user or database is not it, nor is the one that asks.
 */
export async function isConnected(
  session: SqlSession,
  id: number,
  { user, database }: MysqlConfig,
): Promise<boolean> {
  if (id === session.connectionId) return false;
  const { rows } = await session.run(processList);
  // Columns: Id, User, Host, db, ...
  return rows.some((row) => Number(row[0]) === id && row[1] === user && row[3] === database);
}

/**
 * Makes the server end a connection of ours. It may take a moment: whoever must know that its transaction is over
 * locks a row that it had locked.
 */
export async function endConnection(session: SqlSession, id: number, mysql: MysqlConfig): Promise<void> {
  if (!(await isConnected(session, id, mysql))) return;
  try {
    await session.run(killConnection(id));
  } catch (error) {
    if (!isUnknownThread(error)) throw error;
  }
}
