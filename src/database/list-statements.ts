import type { JobFilter } from '../job/job-filter.ts';
import { JOB_ROW_COLUMNS, KIND } from './job-row.ts';
import type { SqlValue, Statement } from './statement.ts';
import { marks, quoteTable } from './statements.ts';

/**
 * The statements that walk the jobs in the order of their names, by the index by_name (routing_key, job_start, id).
 * MySQL and MariaDB make no range of a row constructor, `(a, b) > (?, ?)`, so each comparison of positions is written
 * out; and the index is named, since both would rather sort a table that their statistics take for small.
 */

/** A place in that order. */
export type Position = {
  readonly routingKey: Uint8Array;
  readonly jobStart: Uint8Array;
  readonly id: number;
};

/** Bytes of a job that the index has: those of the column job_start. */
export const JOB_START = 200;

/** Which jobs, after which place (null: from the first), and up to and with which. */
export type Stretch = {
  readonly filter: JobFilter;
  readonly after: Position | null;
  readonly upTo: Position | null;
};

type Condition = { readonly sql: string; readonly values: readonly SqlValue[] };

const POSITION = 'routing_key, job_start, id';

export function listStatements(tableName: string) {
  const table = quoteTable(tableName);
  const all = JOB_ROW_COLUMNS.join(', ');
  const inOrder = `FROM ${table} FORCE INDEX (by_name)`;
  return {
    /** The place of the `rows`th index entry of a stretch: no row when there are fewer. It reads the index alone. */
    place: ({ filter, after, upTo }: Stretch, rows: number): Statement => {
      const where = whereOf([...indexConditions(filter), ...between(after, upTo)]);
      return {
        sql: `SELECT ${POSITION} ${inOrder}${where.sql} ORDER BY ${POSITION} LIMIT 1 OFFSET ?`,
        values: [...where.values, rows - 1],
      };
    },

    /** The jobs of a stretch in their order, for `decodePlaced`; a tag is only guessed at. */
    placed: ({ filter, after, upTo }: Stretch, limit: number): Statement => {
      const where = whereOf([...indexConditions(filter), ...between(after, upTo), ...rowConditions(filter)]);
      const size = 'LENGTH(job) + COALESCE(LENGTH(options), 0) + COALESCE(LENGTH(payload), 0)';
      return {
        sql: `SELECT ${POSITION}, ${size} ${inOrder}${where.sql} ORDER BY ${POSITION} LIMIT ?`,
        values: [...where.values, limit],
      };
    },

    /** The same for `decodeNamed`: what it takes to write to them. */
    named: ({ filter, after, upTo }: Stretch, limit: number): Statement => {
      const where = whereOf([...indexConditions(filter), ...between(after, upTo), ...rowConditions(filter)]);
      return {
        sql: `SELECT ${POSITION}, key_hash, job, version, options ${inOrder}${where.sql} ORDER BY ${POSITION} LIMIT ?`,
        values: [...where.values, limit],
      };
    },

    /** Columns: id, job. */
    jobs: (ids: readonly number[]): Statement => ({
      sql: `SELECT id, job FROM ${table} WHERE id IN (${marks(ids.length)})`,
      values: ids,
    }),

    /** Whole rows for `decodeJobRow`, in no order. */
    rows: (ids: readonly number[]): Statement => ({
      sql: `SELECT ${all} FROM ${table} WHERE id IN (${marks(ids.length)})`,
      values: ids,
    }),
  };
}

/** Whether the index alone tells which jobs are meant, and in one piece: then a page reads no others. */
export function isOfOnePiece(filter: JobFilter): boolean {
  const { routingKey, jobPrefix } = filter;
  return rowConditions(filter).length === 0 && (jobPrefix === undefined || routingKey !== undefined);
}

/** What makes one piece of the index: conditions that the ends of a range tell. */
function indexConditions({ routingKey, routingKeyPrefix, jobPrefix }: JobFilter): Condition[] {
  const conditions: Condition[] = [];
  if (routingKey !== undefined) {
    conditions.push({ sql: 'routing_key = ?', values: [bytesOf(routingKey)] });
  } else if (routingKeyPrefix !== undefined) {
    conditions.push(prefixRange('routing_key', bytesOf(routingKeyPrefix)));
  }
  // Without a routing key these jobs lie in as many pieces as there are routing keys.
  if (jobPrefix !== undefined && routingKey !== undefined) conditions.push(startCondition(jobPrefix));
  return conditions;
}

/** What is judged of each row that the index leads to. */
function rowConditions({ routingKey, jobPrefix, tag, kind, enabled }: JobFilter): Condition[] {
  const conditions: Condition[] = [];
  if (jobPrefix !== undefined) {
    const prefix = bytesOf(jobPrefix);
    if (routingKey === undefined) conditions.push(startCondition(jobPrefix));
    if (prefix.length > JOB_START) {
      conditions.push({ sql: 'LEFT(job, ?) = ?', values: [prefix.length, prefix] });
    }
  }
  if (enabled !== undefined) conditions.push({ sql: 'enabled = ?', values: [enabled ? 1 : 0] });
  if (kind !== undefined) conditions.push({ sql: 'kind = ?', values: [KIND[kind]] });
  // As it stands in the JSON; a note or a header may have the same.
  if (tag !== undefined) {
    conditions.push({ sql: 'LOCATE(?, options) > 0', values: [bytesOf(JSON.stringify(tag))] });
  }
  return conditions;
}

function startCondition(jobPrefix: string): Condition {
  return prefixRange('job_start', bytesOf(jobPrefix).subarray(0, JOB_START));
}

/** Of UTF-8 no byte is 255, so that the last one always has a next. */
function prefixRange(column: string, prefix: Uint8Array): Condition {
  const end = Uint8Array.from(prefix);
  end[end.length - 1]! += 1;
  return { sql: `${column} >= ? AND ${column} < ?`, values: [prefix, end] };
}

function between(after: Position | null, upTo: Position | null): Condition[] {
  return [
    ...(after === null ? [] : [compared(after, '>', '>')]),
    ...(upTo === null ? [] : [compared(upTo, '<', '<=')]),
  ];
}

/** @param last the comparison of the id, where all before it is equal */
function compared({ routingKey, jobStart, id }: Position, beyond: '>' | '<', last: '>' | '<='): Condition {
  return {
    sql:
      `(routing_key ${beyond} ? OR (routing_key = ? AND job_start ${beyond} ?) ` +
      `OR (routing_key = ? AND job_start = ? AND id ${last} ?))`,
    values: [routingKey, routingKey, jobStart, routingKey, jobStart, id],
  };
}

function whereOf(conditions: readonly Condition[]): Condition {
  if (conditions.length === 0) return { sql: '', values: [] };
  return {
    sql: ` WHERE ${conditions.map(({ sql }) => sql).join(' AND ')}`,
    values: conditions.flatMap(({ values }) => values),
  };
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}
