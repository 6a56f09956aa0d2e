import type { Span, SpanProgress } from '../job/span.ts';
import type { SqlValue, Statement } from './statement.ts';
import { IDS_PER_STATEMENT, marks, quoteTable } from './statements.ts';

/** A span with the name of its job. */
export type NamedSpan = Span & { readonly routingKey: Uint8Array; readonly job: Uint8Array };

const SPAN_COLUMNS = [
  ...['id', 'job_id', 'kind', 'from_time', 'to_time', 'position', 'ahead', 'published', 'created'],
] as const;

/** The column `kind`. */
const KIND = ['run', 'backfill'] as const;

export type SpanStatements = ReturnType<typeof spanStatements>;

/** The table of the runs by hand and backfills that are open. A row whose job is gone counts for nothing. */
export function spanStatements(tableName: string) {
  const table = quoteTable(tableName, '_backfill');
  const jobs = quoteTable(tableName);
  const columns = SPAN_COLUMNS.join(', ');
  const own = SPAN_COLUMNS.map((column) => `s.${column}`).join(', ');
  return {
    insert: (spans: readonly Span[]): Statement => ({
      sql: `INSERT INTO ${table} (${columns}) VALUES ?`,
      values: [spans.map(encodeSpan)],
    }),

    remove: (ids: readonly number[]): Statement => ({
      sql: `DELETE FROM ${table} WHERE id IN (${marks(ids.length)})`,
      values: ids,
    }),

    /** Moves those that are still there, at most `IDS_PER_STATEMENT`. */
    move: (spans: readonly SpanProgress[]): Statement => {
      const cases = spans.map(() => 'WHEN ? THEN ?').join(' ');
      const set = ['position', 'ahead', 'published'].map((column) => `${column} = CASE id ${cases} END`);
      return {
        sql: `UPDATE ${table} SET ${set.join(', ')} WHERE id IN (${marks(spans.length)})`,
        values: [
          ...spans.flatMap(({ id, position }) => [id, position]),
          ...spans.flatMap(({ id, ahead }) => [id, encodeTimes(ahead)]),
          ...spans.flatMap(({ id, published }) => [id, published]),
          ...spans.map(({ id }) => id),
        ],
      };
    },

    /** Rows for `decodeSpan`: what a new owner goes on with. */
    load: (): Statement => ({ sql: `SELECT ${columns} FROM ${table} ORDER BY id`, values: [] }),

    /** The ids of those whose job is there. */
    open: (): Statement => ({
      sql: `SELECT s.id FROM ${table} s JOIN ${jobs} j ON j.id = s.job_id`,
      values: [],
    }),

    /** Rows for `decodeNamedSpan`. @param id null for all of them */
    list: (id: number | null): Statement => ({
      sql:
        `SELECT ${own}, j.routing_key, j.job FROM ${table} s JOIN ${jobs} j ON j.id = s.job_id ` +
        `${id === null ? '' : 'WHERE s.id = ? '}ORDER BY s.id`,
      values: id === null ? [] : [id],
    }),
  };
}

/** The statements that make spans durable as they are: what has moved, and what has ended. */
export function progressStatements(
  statements: SpanStatements,
  { moved, ended }: { readonly moved: readonly SpanProgress[]; readonly ended: readonly number[] },
): Statement[] {
  return [
    ...chunks(moved).map((chunk) => statements.move(chunk)),
    ...chunks(ended).map((chunk) => statements.remove(chunk)),
  ];
}

function chunks<T>(items: readonly T[]): (readonly T[])[] {
  const count = Math.ceil(items.length / IDS_PER_STATEMENT);
  return Array.from({ length: count }, (_, index) =>
    items.slice(index * IDS_PER_STATEMENT, (index + 1) * IDS_PER_STATEMENT),
  );
}

export function decodeSpan(row: readonly unknown[]): Span {
  return {
    id: Number(row[0]),
    jobId: Number(row[1]),
    kind: KIND[Number(row[2])] ?? 'backfill',
    from: row[3] === null ? null : Number(row[3]),
    to: row[4] === null ? null : Number(row[4]),
    position: Number(row[5]),
    ahead: decodeTimes(row[6] as Uint8Array),
    published: Number(row[7]),
    created: Number(row[8]),
  };
}

export function decodeNamedSpan(row: readonly unknown[]): NamedSpan {
  const [routingKey, job] = row.slice(SPAN_COLUMNS.length) as [Uint8Array, Uint8Array];
  return { ...decodeSpan(row), routingKey, job };
}

function encodeSpan(span: Span): SqlValue[] {
  const { id, jobId, kind, from, to, position, ahead, published, created } = span;
  return [id, jobId, KIND.indexOf(kind), from, to, position, encodeTimes(ahead), published, created];
}

/** 64-bit numbers, little-endian. */
function encodeTimes(times: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(8 * times.length);
  for (const [index, time] of times.entries()) bytes.writeBigInt64LE(BigInt(time), 8 * index);
  return bytes;
}

function decodeTimes(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 8 }, (_, index) => Number(view.getBigInt64(8 * index, true)));
}
