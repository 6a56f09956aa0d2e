import { setTimeout as delay } from 'node:timers/promises';
import type { Connection, RowDataPacket } from 'mysql2/promise';

/** Changes of so many rows or more are written out. */
const MANY = 100_000;

/** What a server has left to do that does nothing more of account: pages to write, and versions of rows to remove. */
const LITTLE = 100;

/** ms */
const PATIENCE = 60_000;

const SETTINGS = ['innodb_max_dirty_pages_pct', 'innodb_io_capacity_max', 'innodb_io_capacity'] as const;
const AT_ONCE = [0, 20_000, 20_000] as const;

/** MySQL does not tell the second here. */
const LEFT =
  "SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_buffer_pool_pages_dirty', 'Innodb_history_list_length')";

/**
 * Once so many rows were changed, has the server write its changed pages and remove the old versions of rows, and waits
 * for it. By itself it takes minutes for a million rows (200 pages a second) and a part of a core, which would count
 * against whatever is measured first.
 */
export async function writeOut(connection: Connection, rows: number): Promise<void> {
  if (rows < MANY) return;
  const settings = SETTINGS.map((setting) => `@@GLOBAL.${setting}`).join(', ');
  const [[before]] = await connection.query<RowDataPacket[][]>({
    ...{ sql: `SELECT ${settings}`, rowsAsArray: true },
  });
  await set(connection, AT_ONCE);
  const until = performance.now() + PATIENCE;
  while ((await isBusy(connection)) && performance.now() < until) await delay(100);
  await set(connection, before!);
}

async function isBusy(connection: Connection): Promise<boolean> {
  const [counters] = await connection.query<RowDataPacket[]>(LEFT);
  return counters.some(({ Value }) => Number(Value) > LITTLE);
}

async function set(connection: Connection, values: readonly unknown[]): Promise<void> {
  for (const [index, setting] of SETTINGS.entries()) {
    await connection.query(`SET GLOBAL ${setting} = ?`, [values[index]]);
  }
}
