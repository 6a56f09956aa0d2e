import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from 'mysql2/promise';

/** Changes of so many rows or more are written out. */
const MANY = 100_000;

/** What a server has left to do that does nothing more of account: pages to write, and versions of rows to remove. */
const LITTLE = 100;

/** ms */
const PATIENCE = 60_000;

const SETTINGS = ['innodb_max_dirty_pages_pct', 'innodb_io_capacity_max', 'innodb_io_capacity'] as const;
const AT_ONCE = [0, 20_000, 20_000] as const;

/**
 * Once so many rows were changed, has the server write its changed pages and remove the old versions of rows, and waits
 * for it. By itself it takes minutes for a million rows (200 pages a second) and a part of a core, which would count
 * against whatever is measured first.
 */
export async function writeOut(connection: Connection, rows: number): Promise<void> {
  if (rows < MANY) return;
  const before: number[] = [];
  for (const setting of SETTINGS) before.push((await number(connection, `SELECT @@GLOBAL.${setting}`)) ?? 0);
  await set(connection, AT_ONCE);
  const until = performance.now() + PATIENCE;
  while ((await isBusy(connection)) && performance.now() < until) await delay(100);
  await set(connection, before);
}

async function isBusy(connection: Connection): Promise<boolean> {
  for (const status of ['Innodb_buffer_pool_pages_dirty', 'Innodb_history_list_length']) {
    // MySQL does not tell the second here.
    const left = (await number(connection, `SHOW GLOBAL STATUS LIKE '${status}'`)) ?? 0;
    if (left > LITTLE) return true;
  }
  return false;
}

async function set(connection: Connection, values: readonly number[]): Promise<void> {
  for (const [index, setting] of SETTINGS.entries()) {
    await connection.query(`SET GLOBAL ${setting} = ?`, [values[index]]);
  }
}

/** The last column of the first row. */
async function number(connection: Connection, sql: string): Promise<number | undefined> {
  const [rows] = await connection.query({ sql, rowsAsArray: true });
  const [row] = rows as unknown[][];
  return row === undefined ? undefined : Number(row.at(-1));
}
