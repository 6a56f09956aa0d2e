import type { Statement } from './statement.ts';

/** The jobs table of the original implementation: read, and never written. */
export type OriginalTable = { readonly database: string | null; readonly table: string };

/** The columns that are read; some of the original's versions have others beside them. */
export const ORIGINAL_COLUMNS = {
  job: ['varchar', 'char', 'tinytext', 'text', 'mediumtext', 'longtext'],
  routing_key: ['varchar', 'char', 'tinytext', 'text', 'mediumtext', 'longtext'],
  interval: ['tinyint', 'smallint', 'mediumint', 'int', 'bigint'],
  next_run: ['datetime', 'timestamp'],
} as const;

/** Without what would end the quotes, and without the placeholder of a value. */
const NAME = /^(?:([^.`?\0]{1,64})\.)?([^.`?\0]{1,64})$/u;

/** Reads `table` or `database.table`. @throws RangeError when it is neither */
export function parseOriginalTable(name: string): OriginalTable {
  const match = NAME.exec(name);
  if (match === null)
    throw new RangeError('the name of the table to import must be TABLE or DATABASE.TABLE, without quotes');
  return { database: match[1] ?? null, table: match[2]! };
}

export function originalStatements({ database, table }: OriginalTable) {
  const quoted = database === null ? `\`${table}\`` : `\`${database}\`.\`${table}\``;
  return {
    /** Columns: name and type of each column; no row when there is no such table, or it may not be read. */
    columns: (): Statement => ({
      sql:
        'SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS ' +
        'WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?',
      values: [database, table],
    }),

    count: (): Statement => ({ sql: `SELECT COUNT(*) FROM ${quoted}`, values: [] }),

    /**
     * The whole table as one consistent snapshot. Its primary key is a prefix in a case-insensitive collation, so
     * pages by it would need a sort each. Names come as the bytes of their UTF-8, and the time as text: what is
     * no valid name or time is to be refused, and not to be changed on the way.
     */
    read: (): Statement => ({
      sql:
        'SELECT CAST(CONVERT(job USING utf8mb4) AS BINARY), CAST(CONVERT(routing_key USING utf8mb4) AS BINARY), ' +
        `\`interval\`, CAST(next_run AS CHAR) FROM ${quoted}`,
      values: [],
    }),
  };
}

/** The session's own, so that the server waits while a batch is written. @param seconds the server's default is 60 */
export function waitForReader(seconds: number): Statement {
  return { sql: 'SET net_write_timeout = ?', values: [seconds] };
}
