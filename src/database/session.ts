import type { Connection, ConnectionOptions } from 'mysql2';
import { createConnection } from 'mysql2';
import type { Timers } from '../clock.ts';
import { systemTimers } from '../clock.ts';
import type { MysqlConfig } from '../config.ts';
import { formatStatement } from './format.ts';
import { errnoOf, SequenceFailed, SessionLost, sessionEnds } from './sql-errors.ts';
import type { Statement } from './statements.ts';
import { sessionSettings } from './statements.ts';

/** A row as an array in the order of the columns: integers as numbers, binary columns as Buffers. */
export type SqlRow = readonly unknown[];

export type SqlResult = { readonly rows: readonly SqlRow[]; readonly affectedRows: number };

/**
 * One session with the server. Statements run one after another; each has a deadline, after which the session is
 * destroyed, since what the server did with the statement is then not known.
 */
export type SqlSession = {
  /** The server's CONNECTION_ID(). */
  readonly connectionId: number;
  /** False once the connection was lost, destroyed or closed. */
  readonly usable: boolean;
  /** @param deadline ms; the default is the session's. @throws SessionLost, or mysql2's error with its errno */
  run(statement: Statement, deadline?: number): Promise<SqlResult>;
  /**
   * Runs statements one after another in one round trip, in the owner's sessions. None follows one that fails; what
   * those before it did stays, and a transaction stays open.
   *
   * @param deadline ms, for all of them; the default is the session's for one
   * @throws SequenceFailed for an error of the server; else as `run`
   */
  runAll(statements: readonly Statement[], deadline?: number): Promise<readonly SqlResult[]>;
  /** Ends the connection at once. */
  destroy(): void;
  /** Says goodbye and ends the connection. */
  close(): Promise<void>;
};

/** Opens a session: injected, so that a test can lose connections where it wants to. */
export type Connect = () => Promise<SqlSession>;

export type SessionOptions = {
  /** ms; `wait_timeout` becomes half of it. Absent for a session that is not the owner's. */
  readonly lease?: number;
  /** ms for each statement, 5000 by default. */
  readonly deadline?: number;
  /** ms for connecting and logging in, 5000 by default. */
  readonly connectTimeout?: number;
  readonly timers?: Timers;
};

/** How long counting all rows of a table may take, ms. */
export const COUNT_DEADLINE = 600_000;
const STATEMENT_DEADLINE = 5_000;
const CONNECT_TIMEOUT = 5_000;
/** ms */
const GOODBYE = 300;

/** How every connection of Dalga to MySQL is made, the loader's streaming one too. */
export function connectionOptions(config: MysqlConfig, connectTimeout = CONNECT_TIMEOUT): ConnectionOptions {
  return {
    host: config.host,
    port: config.port,
    user: config.user,
    password: config.password,
    database: config.database,
    charset: 'utf8mb4',
    // Times cross the wire as integers only; should a DATETIME ever be read, it is text in UTC.
    timezone: 'Z',
    dateStrings: true,
    supportBigNumbers: true,
    connectTimeout,
    enableKeepAlive: true,
    keepAliveInitialDelay: 10_000,
  };
}

/** @throws mysql2's error, or SessionLost when logging in took too long; `explainConnectionError` tells a person */
export async function openSession(config: MysqlConfig, options: SessionOptions = {}): Promise<SqlSession> {
  const { lease, deadline = STATEMENT_DEADLINE, connectTimeout = CONNECT_TIMEOUT } = options;
  const timers = options.timers ?? systemTimers;
  const connection = createConnection({
    ...{ ...connectionOptions(config, connectTimeout), rowsAsArray: true },
    // The values are in already: mysql2 would look for places once more.
    queryFormat: (sql: string) => sql,
    multipleStatements: lease !== undefined,
  });
  const session = new Mysql2Session(connection, timers, deadline);
  try {
    await session.open(connectTimeout);
    await session.run(sessionSettings(lease ?? null), connectTimeout);
  } catch (error) {
    session.destroy();
    throw error;
  }
  return session;
}

type ServerResult = SqlRow[] | { readonly affectedRows: number };

function toResult(result: ServerResult): SqlResult {
  if (Array.isArray(result)) return { rows: result, affectedRows: 0 };
  return { rows: [], affectedRows: result.affectedRows };
}

class Mysql2Session implements SqlSession {
  readonly #connection: Connection;
  readonly #timers: Timers;
  readonly #deadline: number;
  #usable = true;
  /** What waits for the server: mysql2 does not tell it when its connection is destroyed. */
  readonly #waiting = new Set<(error: Error) => void>();

  constructor(connection: Connection, timers: Timers, deadline: number) {
    this.#connection = connection;
    this.#timers = timers;
    this.#deadline = deadline;
    // A connection that breaks while nothing runs says so here; without a listener it would end the process. What
    // runs is told by mysql2 itself, unless the connection is destroyed first.
    connection.on('error', () => this.#noteEnd());
    connection.on('end', () => this.#noteEnd());
  }

  get connectionId(): number {
    return this.#connection.threadId ?? 0;
  }

  get usable(): boolean {
    return this.#usable;
  }

  /** mysql2's own connectTimeout ends with the TCP connection; a server that never greets needs this one. */
  open(timeout: number): Promise<void> {
    return this.#within(timeout, 'the login', (done) => this.#connection.connect((error) => done(error)));
  }

  async run(statement: Statement, deadline = this.#deadline): Promise<SqlResult> {
    return toResult((await this.#query(formatStatement(statement), deadline)) as ServerResult);
  }

  async runAll(statements: readonly Statement[], deadline = this.#deadline): Promise<readonly SqlResult[]> {
    const sql = statements.map(formatStatement).join('; ');
    let completed = 0;
    try {
      const results = await this.#query(sql, deadline, () => completed++);
      return ((statements.length === 1 ? [results] : results) as ServerResult[]).map(toResult);
    } catch (error) {
      throw sessionEnds(error) ? error : new SequenceFailed(completed, error);
    }
  }

  /** @param onCompleted hears of each statement that returns no rows. @throws SessionLost, at once or later */
  #query(sql: string, deadline: number, onCompleted?: () => void): Promise<unknown> {
    if (!this.#usable) throw new SessionLost('the connection to MySQL is closed');
    return this.#within<unknown>(deadline, 'a statement', (done) => {
      const query = this.#connection.query({ sql, rowsAsArray: true }, (error, result) =>
        done(error, result),
      );
      if (onCompleted !== undefined) query.on('result', onCompleted);
    });
  }

  destroy(): void {
    this.#usable = false;
    this.#connection.destroy();
    // mysql2 only half-closes the socket, and would still send what it has buffered.
    (this.#connection as { stream?: { destroy?: () => void } }).stream?.destroy?.();
    for (const fail of this.#waiting) fail(new SessionLost('the connection to MySQL was given up'));
  }

  #noteEnd(): void {
    this.#usable = false;
  }

  async close(): Promise<void> {
    if (!this.#usable) return;
    this.#usable = false;
    await this.#within(GOODBYE, 'the goodbye', (done) => this.#connection.end((error) => done(error))).catch(
      () => this.destroy(),
    );
  }

  #within<T>(
    deadline: number,
    what: string,
    start: (done: (error: Error | null | undefined, value?: T) => void) => void,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const fail = (error: Error) => {
        this.#timers.clear(timer);
        this.#waiting.delete(fail);
        reject(error);
      };
      const timer = this.#timers.set(() => {
        fail(new SessionLost(`MySQL did not answer ${what} within ${deadline} ms`));
        this.destroy();
      }, deadline);
      this.#waiting.add(fail);
      start((error, value) => {
        this.#timers.clear(timer);
        this.#waiting.delete(fail);
        if (error === null || error === undefined) return resolve(value as T);
        if (!sessionEnds(error)) return reject(error);
        this.destroy();
        // The server's own refusals keep their errno, for the operator's message; the rest is a lost connection.
        reject(errnoOf(error) === undefined ? new SessionLost(error.message, { cause: error }) : error);
      });
    });
  }
}
