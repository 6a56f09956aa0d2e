import { JOB_ROW_COLUMNS, LEAN_COLUMNS, SCHEDULE_COLUMNS } from '../../src/database/job-row.ts';
import type { SqlResult, SqlRow } from '../../src/database/session.ts';
import type { SqlRows, Statement } from '../../src/database/statements.ts';
import { sqlError } from './sql-error.ts';

/** A row by its columns' names. */
export type Row = { [column: string]: unknown };

/** What the tables hold; a transaction works on a copy of its own. */
export class Tables {
  /** By id, in the order of ids. */
  jobs = new Map<number, Row>();
  state: Row;
  instances = new Map<string, Row>();
  /** By id, in the order of ids. */
  spans = new Map<number, Row>();

  constructor(state: Row) {
    this.state = state;
  }

  copy(): Tables {
    const copy = new Tables({ ...this.state });
    copy.jobs = new Map(this.jobs);
    copy.instances = new Map(this.instances);
    copy.spans = new Map(this.spans);
    return copy;
  }
}

/** Who runs a statement, and when by the server's clock (Unix ms). */
export type Context = { readonly connectionId: number; readonly now: number };

const KEY_COLUMNS = ['key_hash', ...JOB_ROW_COLUMNS];
const STATE_LOCK = ['epoch', 'owner', 'batch', 'stamp', 'next_id'];
const STATE_LOOK =
  'epoch owner owner_host owner_address owner_connection lease_ms renewals over tag watermark exceptions stamp next_id batch clock'.split(
    ' ',
  );

/** Whether a statement asks for the lock of the state row. */
export function locksState({ sql }: Statement): boolean {
  return / FOR UPDATE$/.test(sql) && sql.includes('_state`');
}

/** Whether a statement changes the state row, whose lock it takes then. */
export function writesState({ sql }: Statement): boolean {
  return sql.startsWith('UPDATE `dalga_state`');
}

/** Whether a statement writes at all. */
export function isWrite({ sql }: Statement): boolean {
  return /^(INSERT|UPDATE|DELETE)/.test(sql);
}

/**
 * Carries out one of the statements of src/database on the tables. It knows exactly those, by their shape, and
 * refuses whatever else it is asked.
 */
export function execute(tables: Tables, { sql, values }: Statement, context: Context): SqlResult {
  const { jobs, state, instances } = tables;
  if (sql.startsWith('SELECT epoch, owner, batch, stamp, next_id FROM `dalga_state`')) {
    return select([STATE_LOCK.map((column) => state[column])]);
  }
  if (sql.startsWith('SELECT epoch, owner, owner_host') && sql.includes('FROM `dalga_state`')) {
    const over = state.lease_until === null || (state.lease_until as number) < context.now ? 1 : 0;
    const shown: Row = { ...state, over, clock: Math.round(context.now) };
    return select([STATE_LOOK.map((column) => shown[column])]);
  }
  if (sql.startsWith('UPDATE `dalga_state` SET ')) return updateState(state, sql, values, context);
  if (sql.startsWith('INSERT INTO `dalga_instance`')) {
    const [, id, host, address] = values as unknown[];
    instances.set(id as string, { host, address, connection_id: context.connectionId, seen_at: context.now });
    return written(1);
  }
  if (sql.startsWith('DELETE FROM `dalga_instance` WHERE partition_id = ? AND instance_id = ?')) {
    return written(Number(instances.delete(values[1] as string)));
  }
  if (sql.startsWith('DELETE FROM `dalga_instance` WHERE partition_id = ? AND seen_at <')) {
    let count = 0;
    for (const [id, row] of instances) {
      if ((row.seen_at as number) < context.now - (values[1] as number) / 1000)
        count += Number(instances.delete(id));
    }
    return written(count);
  }
  if (sql.startsWith('SELECT COUNT(*), CAST(ROUND(UNIX_TIMESTAMP') && sql.includes('`dalga_instance`')) {
    const limit = context.now - (values[1] as number) / 1000;
    const seen = [...instances.values()].filter((row) => (row.seen_at as number) >= limit);
    return select([[seen.length, context.now]]);
  }
  if (sql.startsWith(`SELECT ${LEAN_COLUMNS.join(', ')}, key_hash FROM \`dalga\` WHERE key_hash IN (`)) {
    const wanted = new Set(values.map((value) => hex(value)));
    const found = [...jobs.values()].filter((row) => wanted.has(row.key_hex as string));
    return select(found.map((row) => [...SCHEDULE_COLUMNS, 'key_hash'].map((column) => row[column])));
  }
  if (sql.startsWith('INSERT INTO `dalga` (key_hash, ')) {
    return upsert(jobs, values[0] as SqlRows, sql.includes(' ON DUPLICATE KEY UPDATE '));
  }
  if (sql.startsWith('DELETE FROM `dalga` WHERE id IN (') || /^DELETE FROM `dalga` WHERE id = \?/.test(sql)) {
    return written(values.reduce<number>((count, id) => count + Number(jobs.delete(id as number)), 0));
  }
  if (sql.startsWith('DELETE FROM `dalga` WHERE (id = ? AND version = ?)')) {
    let count = 0;
    for (let at = 0; at < values.length; at += 2) {
      if (jobs.get(values[at] as number)?.version === values[at + 1])
        count += Number(jobs.delete(values[at] as number));
    }
    return written(count);
  }
  if (sql.startsWith('SELECT id FROM `dalga` WHERE id IN (')) {
    return select(values.filter((id) => jobs.has(id as number)).map((id) => [id]));
  }
  if (sql.includes('`dalga_backfill`')) return ofSpans(tables, sql, values);
  throw new Error(`the simulated server does not know: ${sql}`);
}

/** The rows that the loader reads, by ascending id. */
export function rowsAfter(tables: Tables, afterId: number): SqlRow[] {
  return [...tables.jobs.values()]
    .filter((row) => (row.id as number) > afterId)
    .sort((a, b) => (a.id as number) - (b.id as number))
    .map((row) => JOB_ROW_COLUMNS.map((column) => row[column]));
}

const SPAN_COLUMNS = 'id job_id kind from_time to_time position ahead published created'.split(' ');

function ofSpans({ jobs, spans }: Tables, sql: string, values: Statement['values']): SqlResult {
  const withJob = [...spans.values()].filter(({ job_id }) => jobs.has(job_id as number));
  if (sql.startsWith('INSERT INTO `dalga_backfill` (id, ')) {
    const rows = values[0] as SqlRows;
    for (const given of rows) {
      const row = Object.fromEntries(SPAN_COLUMNS.map((column, place) => [column, given[place]]));
      spans.set(row.id as number, row);
    }
    return written(rows.length);
  }
  if (sql.startsWith('DELETE FROM `dalga_backfill` WHERE id IN (')) {
    return written(values.reduce<number>((count, id) => count + Number(spans.delete(id as number)), 0));
  }
  if (sql.startsWith('UPDATE `dalga_backfill` SET position = CASE id ')) {
    // Three lists of pairs, and then the ids.
    const count = values.length / 7;
    for (let place = 0; place < count; place++) {
      const [id, position, ahead, published] = [0, 1, 2 * count + 1, 4 * count + 1].map(
        (first) => values[first + 2 * place],
      );
      const row = spans.get(id as number);
      if (row !== undefined) spans.set(id as number, { ...row, position, ahead, published });
    }
    return written(count);
  }
  if (sql.startsWith('SELECT s.id FROM `dalga_backfill` s JOIN'))
    return select(withJob.map(({ id }) => [id]));
  if (sql.startsWith('SELECT id, job_id, ') && sql.endsWith('FROM `dalga_backfill` ORDER BY id')) {
    return select([...spans.values()].map((row) => SPAN_COLUMNS.map((column) => row[column])));
  }
  throw new Error(`the simulated server does not know: ${sql}`);
}

/** UPDATE ... SET a = ?, b = expression ... WHERE partition_id = ? [AND epoch = ?] */
function updateState(state: Row, sql: string, values: Statement['values'], context: Context): SqlResult {
  const [, set, where] = /^UPDATE `dalga_state` SET (.*) WHERE (.*)$/.exec(sql) as unknown as string[];
  const left = [...values];
  const changes: Row = {};
  for (const assignment of set!.split(', ')) {
    const [, column, expression] = /^(\w+) = (.*)$/.exec(assignment) as unknown as [string, string, string];
    changes[column] = evaluate(expression, left, state, context);
  }
  left.shift();
  if (where === 'partition_id = ? AND epoch = ?') {
    if (left.shift() !== state.epoch) return written(0);
  } else if (where !== 'partition_id = ?') {
    throw new Error(`the simulated server does not know: WHERE ${where}`);
  }
  Object.assign(state, changes);
  return written(1);
}

function evaluate(expression: string, values: unknown[], state: Row, context: Context): unknown {
  switch (expression) {
    case '?':
      return values.shift();
    case 'NULL':
      return null;
    case 'CONNECTION_ID()':
      return context.connectionId;
    case 'renewals + 1':
      return (state.renewals as number) + 1;
    case 'UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND':
      return context.now + (values.shift() as number) / 1000;
    default:
      throw new Error(`the simulated server does not know: ${expression}`);
  }
}

function upsert(jobs: Map<number, Row>, rows: SqlRows, update: boolean): SqlResult {
  const given = rows.map((values) => {
    const row: Row = {};
    for (const [place, column] of KEY_COLUMNS.entries()) row[column] = values[place];
    row.key_hash = Buffer.from(row.key_hash as Uint8Array);
    row.key_hex = hex(row.key_hash);
    return row;
  });
  const byKey = new Map([...jobs.values()].map((row) => [row.key_hex, row]));
  const isThere = ({ id, key_hex }: Row) => byKey.has(key_hex) || jobs.has(id as number);
  // A statement that fails has done nothing.
  const distinct = new Set(given.map(({ key_hex }) => key_hex)).size;
  if (!update && (distinct < given.length || given.some(isThere))) throw sqlError(1062);
  for (const row of given) {
    const same = byKey.get(row.key_hex);
    byKey.set(row.key_hex, same ?? row);
    if (same !== undefined && same.id !== row.id) {
      // ON DUPLICATE KEY UPDATE changes all columns but those of the keys.
      jobs.set(same.id as number, { ...row, id: same.id });
    } else {
      jobs.set(row.id as number, row);
    }
  }
  return written(rows.length);
}

function hex(value: unknown): string {
  return Buffer.from(value as Uint8Array).toString('hex');
}

function select(rows: SqlRow[]): SqlResult {
  return { rows, affectedRows: 0 };
}

function written(affectedRows: number): SqlResult {
  return { rows: [], affectedRows };
}
