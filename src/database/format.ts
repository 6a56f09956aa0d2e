import { escape as quote } from 'mysql2';
import type { SqlRows, SqlValue, Statement } from './statement.ts';

/**
 * A statement with its values in their places. mysql2 would do the same, a character at a time: a batch of a thousand
 * rows has thirteen thousand values.
 *
 * @throws RangeError when there are more or fewer `?` than values
 */
export function formatStatement({ sql, values }: Statement): string {
  if (values.length === 0) return sql;
  const parts = sql.split('?');
  if (parts.length !== values.length + 1) {
    throw new RangeError(`a statement has ${parts.length - 1} places for ${values.length} values`);
  }
  let text = parts[0]!;
  for (const [index, value] of values.entries()) {
    text +=
      (Array.isArray(value) ? listOf(value as SqlRows) : literal(value as SqlValue)) + parts[index + 1]!;
  }
  return text;
}

function listOf(rows: SqlRows): string {
  let text = '';
  let before = '(';
  for (const row of rows) {
    for (const value of row) {
      text += before + literal(value);
      before = ', ';
    }
    before = '), (';
  }
  return `${text})`;
}

function literal(value: SqlValue): string {
  if (typeof value === 'number') return String(value);
  if (value === null) return 'NULL';
  if (typeof value === 'string') return quote(value);
  const bytes = Buffer.isBuffer(value)
    ? value
    : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return `X'${bytes.toString('hex')}'`;
}
