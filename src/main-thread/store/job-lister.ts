import type { Timers } from '../../clock.ts';
import type { MysqlConfig } from '../../config.ts';
import { decodeJobRow, decodeNamed, type NamedRow } from '../../database/job-row.ts';
import { isOfOnePiece, listStatements, type Position } from '../../database/list-statements.ts';
import { type Connect, openSession, type SqlRow, type SqlSession } from '../../database/session.ts';
import { decodeNamedSpan, type NamedSpan, spanStatements } from '../../database/span-statements.ts';
import { estimateJobs, IDS_PER_STATEMENT, serverVersion } from '../../database/statements.ts';
import type { JobRow } from '../../job/job.ts';
import { type JobFilter, matches } from '../../job/job-filter.ts';
import { unreadable } from './job-reader.ts';
import { SessionPool } from './session-pool.ts';

/** Jobs in the order of their names, and where the next ones begin: null after the last. */
export type ListedRows = { readonly rows: readonly JobRow[]; readonly next: Position | null };

/** Reads of many jobs, in the order of their names or by their ids; a standby answers with it too. */
export type JobLister = {
  /**
   * The next jobs that the filter means. Under a filter that the index cannot tell it looks at `LOOKS` jobs, so that it
   * may find fewer than `limit`, or none, and yet there is a next place.
   *
   * @throws DalgaError database_unavailable, as all of them do
   */
  page(filter: JobFilter, after: Position | null, limit: number): Promise<ListedRows>;
  /** Those of the ids that are there, in the order of the ids. */
  byIds(ids: readonly number[]): Promise<readonly JobRow[]>;
  /** The jobs' own names, by their ids: of those that are there. */
  names(ids: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>>;
  /** The runs by hand and backfills that are open, by their ids; or the one of an id. */
  spans(id: number | null): Promise<readonly NamedSpan[]>;
  /** About how many jobs there are, by the server's statistics. */
  estimate(): Promise<number>;
  /** The server's version, as it tells it. */
  serverVersion(): Promise<string>;
  /** All that the filter means, over a connection of its own, a page at a time. */
  pages(filter: JobFilter): AsyncGenerator<readonly JobRow[]>;
  /** The same, with what it takes to write to them. */
  named(filter: JobFilter): AsyncGenerator<readonly NamedRow[]>;
  close(): Promise<void>;
};

export type JobListerOptions = {
  readonly connect?: Connect | undefined;
  readonly timers?: Timers | undefined;
};

/** Index entries that one page looks at. */
const LOOKS = 5_000;

/** Bytes of the jobs of a page, from which on it ends: a thousand payloads of 1 MiB are no answer. */
const PAGE_BYTES = 4_000_000;

/** Jobs of a page of a walk. */
const ROWS_PER_PAGE = 500;
const NAMES_PER_PAGE = 1_000;

const CONNECTIONS = 2;

/** Of a statement, and of a connection, ms. */
const DEADLINE = 2_000;

/** How long a page waits for a connection, ms. */
const LONGEST_WAIT = 3_000;

export function createJobLister(config: MysqlConfig, options: JobListerOptions = {}): JobLister {
  const { timers } = options;
  const connect =
    options.connect ?? (() => openSession(config, { deadline: DEADLINE, connectTimeout: DEADLINE }));
  const statements = listStatements(config.table);
  const ofSpans = spanStatements(config.table);
  const pool = new SessionPool({ connect, size: CONNECTIONS, longestWait: LONGEST_WAIT, timers });

  /** How far one look goes: null to the end. */
  const endOfLook = async (session: SqlSession, filter: JobFilter, after: Position | null) => {
    if (isOfOnePiece(filter)) return null;
    const { rows } = await session.run(statements.place({ filter, after, upTo: null }, LOOKS));
    return rows[0] === undefined ? null : decodePosition(rows[0]);
  };

  const readRows = async (session: SqlSession, ids: readonly number[]): Promise<readonly JobRow[]> => {
    const found = new Map<number, JobRow>();
    for (let first = 0; first < ids.length; first += IDS_PER_STATEMENT) {
      const { rows } = await session.run(statements.rows(ids.slice(first, first + IDS_PER_STATEMENT)));
      for (const row of rows.map(decodeJobRow)) found.set(row.id, row);
    }
    return ids.flatMap((id) => found.get(id) ?? []);
  };

  const readPage = async (
    session: SqlSession,
    filter: JobFilter,
    after: Position | null,
    limit: number,
  ): Promise<ListedRows> => {
    const upTo = await endOfLook(session, filter, after);
    // One more, to know whether there are more.
    const placed = await session.run(statements.placed({ filter, after, upTo }, limit + 1));
    const count = fitting(placed.rows, limit);
    const taken = placed.rows.slice(0, count).map(decodePosition);
    const rows = await readRows(
      session,
      taken.map(({ id }) => id),
    );
    return {
      // A tag was guessed at, and a job may have changed meanwhile.
      rows: rows.filter((row) => matches(filter, row)),
      next: count < placed.rows.length ? taken.at(-1)! : upTo,
    };
  };

  /** Goes from place to place over a connection of its own. */
  async function* walk<T>(
    step: (session: SqlSession, after: Position | null) => Promise<{ found: T; next: Position | null }>,
  ): AsyncGenerator<T> {
    let session: SqlSession | null = null;
    try {
      session = await connect();
      for (let after: Position | null = null; ; ) {
        const { found, next }: { found: T; next: Position | null } = await step(session, after);
        yield found;
        if (next === null) return;
        after = next;
      }
    } catch (error) {
      throw unreadable(error);
    } finally {
      await session?.close();
    }
  }

  return {
    page: (filter, after, limit) => pool.run((session) => readPage(session, filter, after, limit)),
    byIds: (ids) => pool.run((session) => readRows(session, ids)),
    names: (ids) =>
      pool.run(async (session) => {
        const names = new Map<number, Uint8Array>();
        for (let first = 0; first < ids.length; first += IDS_PER_STATEMENT) {
          const { rows } = await session.run(statements.jobs(ids.slice(first, first + IDS_PER_STATEMENT)));
          for (const [id, job] of rows) names.set(id as number, job as Buffer);
        }
        return names;
      }),
    spans: (id) =>
      pool.run(async (session) => (await session.run(ofSpans.list(id))).rows.map(decodeNamedSpan)),
    estimate: () =>
      pool.run(async (session) => {
        const { rows } = await session.run(estimateJobs(config.table));
        return Number(rows[0]?.[0] ?? 0);
      }),
    serverVersion: () => pool.run(async (session) => String((await session.run(serverVersion)).rows[0]?.[0])),
    pages: (filter) =>
      walk(async (session, after) => {
        const { rows, next } = await readPage(session, filter, after, ROWS_PER_PAGE);
        return { found: rows, next };
      }),
    named: (filter) =>
      walk(async (session, after) => {
        const upTo = await endOfLook(session, filter, after);
        const { rows } = await session.run(statements.named({ filter, after, upTo }, NAMES_PER_PAGE));
        const found = rows.map(decodeNamed);
        const { tag } = filter;
        return {
          found: tag === undefined ? found : found.filter(({ tags }) => tags.includes(tag)),
          next: rows.length < NAMES_PER_PAGE ? upTo : decodePosition(rows.at(-1)!),
        };
      }),
    close: () => pool.close(),
  };
}

/** How many of the first jobs make a page: one at least. */
function fitting(placed: readonly SqlRow[], limit: number): number {
  let count = 0;
  let bytes = 0;
  while (count < placed.length && count < limit) {
    bytes += Number(placed[count]![3]);
    if (count > 0 && bytes > PAGE_BYTES) break;
    count++;
  }
  return count;
}

function decodePosition(row: SqlRow): Position {
  return { routingKey: row[0] as Buffer, jobStart: row[1] as Buffer, id: row[2] as number };
}
