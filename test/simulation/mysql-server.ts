import type { SqlResult } from '../../src/database/session.ts';
import { isDuplicateKey } from '../../src/database/sql-errors.ts';
import type { Statement } from '../../src/database/statements.ts';
import type { Link } from './link.ts';
import type { Scope } from './scope.ts';
import { sqlError } from './sql-error.ts';
import { type Context, execute, isWrite, locksState, type Row, type Tables, writesState } from './tables.ts';
import type { World } from './world.ts';

/** What may go wrong with a statement. */
export type StatementFault =
  | 'lost before'
  | 'lost after'
  | 'silent'
  | 'slow'
  | 'deadlock'
  | 'lock wait timeout';

type Answer = (error: unknown, result?: SqlResult) => void;

/** @param results of the statements before the one that failed */
export type Answers = (error: unknown, results: readonly SqlResult[]) => void;

/** The server's end of a session. */
export type Connection = {
  readonly id: number;
  readonly link: Link;
  /** Tells the client that the connection is lost. */
  readonly onLost: () => void;
  alive: boolean;
  /** The client has gone: it ends after the statement that runs. */
  gone: boolean;
  busy: boolean;
  committing: boolean;
  /** What the client has sent, and was not answered yet. */
  sent: readonly Statement[];
  transaction: { work: Tables | null; readonly statements: Statement[] } | null;
  waitTimeout: number;
  lockTimeout: number;
  activeAt: number;
};

/** A change of a job that was committed. */
export type Commit = {
  readonly keyHex: string;
  readonly row: Row | null;
  /** Whether it was a lazy deletion. */
  readonly settled: boolean;
  /** Unix ms. */
  readonly stamp: number;
};

/** A MySQL server in memory: transactions, the lock of the state row, connections that are lost or killed. */
export class MysqlServer {
  readonly world: World;
  readonly connections = new Map<number, Connection>();
  readonly commits: Commit[] = [];
  tables: Tables;
  up = true;
  frozen = false;
  readOnly = false;
  tooManyConnections = false;
  /** How much slower than usual it is. */
  latency = 1;
  /** ms that its clock differs by. */
  clockOffset = 0;
  /** Decides what goes wrong. */
  fault: (statement: Statement) => StatementFault | null = () => null;
  /** A transaction took effect. */
  onCommit: (connection: Connection) => void = () => {};
  /** It has stored a span: its row, and its job's where there is one. */
  onSpanStored: (span: Row, job: Row | undefined) => void = () => {};
  /** It has changed or deleted the row of a job. */
  onJobChanged: (before: Row, after: Row | undefined) => void = () => {};
  #nextId = 10;
  #holder: Connection | null = null;
  #waiters: { readonly connection: Connection; readonly grant: () => void }[] = [];
  #held: (() => void)[] = [];

  constructor(world: World, tables: Tables) {
    this.world = world;
    this.tables = tables;
  }

  /** Unix ms. */
  get now(): number {
    return Math.floor(this.world.unix() + this.clockOffset);
  }

  open(link: Link, onLost: () => void): Connection {
    const connection: Connection = {
      ...{ id: this.#nextId++, link, onLost, alive: true, gone: false, busy: false, committing: false },
      ...{ sent: [], transaction: null, activeAt: this.world.now },
      ...{ waitTimeout: 28_800_000, lockTimeout: 50_000 },
    };
    this.connections.set(connection.id, connection);
    return connection;
  }

  /** Statements that came together: none follows one that fails. */
  receive(connection: Connection, statements: readonly Statement[], answer: Answers): void {
    this.#whenThawed(() => {
      if (!connection.alive || connection.gone) return;
      connection.busy = true;
      let told = true;
      const reply = (error: unknown, results: readonly SqlResult[]) =>
        this.#reply(connection, told ? answer : null, error, results);
      const next = (results: readonly SqlResult[]): void => {
        const statement = statements[results.length];
        if (statement === undefined) {
          reply(null, results);
          return;
        }
        const done: Answer = (error, result) =>
          result === undefined ? reply(error, results) : next([...results, result]);
        this.#carryOut(connection, statement, done, () => {
          told = false;
        });
      };
      next([]);
    });
  }

  /** @param silence called when the client is not to hear of it */
  #carryOut(connection: Connection, statement: Statement, answer: Answer, silence: () => void): void {
    const { world } = this;
    const fault = this.fault(statement);
    const commits = statement.sql === 'COMMIT';
    let duration = (commits ? world.between(0.5, 6) : world.between(0.1, 1)) * this.latency;
    if (fault === 'slow') duration += world.between(10, world.chance(0.3) ? 5000 : 300);
    if (fault !== null) world.event(commits ? `mysql.commit ${fault}` : `mysql.statement ${fault}`);
    if (fault === 'lost before') {
      this.close(connection);
      return;
    }
    if (fault === 'silent') silence();
    connection.committing = commits;
    world.after(duration, () => {
      this.#whenThawed(() => {
        if (!connection.alive) return;
        if (fault === 'deadlock') {
          this.#rollBack(connection);
          return answer(sqlError(1213));
        }
        if (fault === 'lock wait timeout') return answer(sqlError(1205));
        this.#perform(connection, statement, (error, result) => {
          if (fault === 'lost after') return this.close(connection);
          answer(error, result);
        });
      });
    });
  }

  /** The client has closed its end. */
  leave(connection: Connection): void {
    connection.gone = true;
    if (!connection.busy) this.close(connection, false);
  }

  /** The connection ends; what it has not committed is rolled back. */
  close(connection: Connection, tell = true): void {
    if (!connection.alive) return;
    connection.alive = false;
    this.connections.delete(connection.id);
    this.#waiters = this.#waiters.filter((waiter) => waiter.connection !== connection);
    this.#rollBack(connection);
    if (tell) connection.link.send('down', connection.onLost);
  }

  crash(): void {
    this.up = false;
    for (const connection of [...this.connections.values()]) this.close(connection);
    this.#held = [];
    this.frozen = false;
  }

  restart(): void {
    if (this.up) return;
    this.up = true;
    // A server that was started anew gives the same numbers out again.
    this.#nextId = 10;
  }

  freeze(): void {
    this.frozen = true;
  }

  thaw(): void {
    this.frozen = false;
    const held = this.#held;
    this.#held = [];
    for (const callback of held) this.world.after(this.world.random(), callback);
  }

  /** Whether a transaction that has not ended has written to a job, or is about to. */
  hasPending(keyHex: string): boolean {
    return [...this.connections.values()].some(({ transaction, sent }) =>
      [...(transaction?.statements ?? []), ...sent].some(({ values }) =>
        values.flat(2).some((value) => {
          if (typeof value === 'number') return this.tables.jobs.get(value)?.key_hex === keyHex;
          return value instanceof Uint8Array && Buffer.from(value).toString('hex') === keyHex;
        }),
      ),
    );
  }

  #whenThawed(callback: () => void): void {
    if (this.frozen) this.#held.push(() => this.#whenThawed(callback));
    else if (this.up) callback();
  }

  #reply(
    connection: Connection,
    answer: Answers | null,
    error: unknown,
    results: readonly SqlResult[],
  ): void {
    connection.busy = false;
    connection.committing = false;
    connection.sent = [];
    connection.activeAt = this.world.now;
    if (connection.gone) {
      this.close(connection, false);
      return;
    }
    this.#watchIdle(connection);
    if (answer !== null) connection.link.send('down', () => answer(error, results));
  }

  /** The server ends a session that is silent for its wait_timeout. */
  #watchIdle(connection: Connection): void {
    if (connection.waitTimeout > 3_600_000 || connection.transaction === null) return;
    const { activeAt } = connection;
    this.world.after(connection.waitTimeout, () => {
      if (connection.busy || connection.activeAt !== activeAt || !connection.alive) return;
      this.world.event('mysql.idle session ended');
      this.close(connection);
    });
  }

  #perform(connection: Connection, statement: Statement, answer: Answer): void {
    const { sql, values } = statement;
    if (sql === 'START TRANSACTION') {
      connection.transaction = { work: null, statements: [] };
    } else if (sql === 'COMMIT') {
      this.#commit(connection);
    } else if (sql === 'ROLLBACK') {
      this.#rollBack(connection);
    } else if (sql.startsWith('SET ')) {
      const [wait, lock] = values as number[];
      if (wait !== undefined) connection.waitTimeout = wait * 1000;
      if (lock !== undefined) connection.lockTimeout = lock * 1000;
    } else if (sql === 'SHOW PROCESSLIST') {
      const rows = [...this.connections.keys()].map((id) => [id, 'root', 'host', 'test']);
      answer(null, { rows, affectedRows: 0 });
      return;
    } else if (sql === 'KILL ?') {
      this.#kill(values[0] as number, answer);
      return;
    } else {
      this.#run(connection, statement, answer);
      return;
    }
    answer(null, { rows: [], affectedRows: 0 });
  }

  #run(connection: Connection, statement: Statement, answer: Answer): void {
    if (this.readOnly && isWrite(statement)) {
      answer(sqlError(1290));
      return;
    }
    const needsLock = locksState(statement) || writesState(statement);
    if (!needsLock || this.#holder === connection) {
      this.#execute(connection, statement, answer);
      return;
    }
    if (this.#holder === null) {
      this.#holder = connection;
      this.#execute(connection, statement, answer);
      return;
    }
    this.world.count('mysql.lock waits');
    const waiter = {
      connection,
      grant: () => {
        timeout.cancel();
        this.#holder = connection;
        this.#execute(connection, statement, answer);
      },
    };
    this.#waiters.push(waiter);
    const timeout = this.world.after(connection.lockTimeout, () => {
      if (!this.#waiters.includes(waiter)) return;
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
      this.world.count('mysql.lock wait timeouts');
      answer(sqlError(1205));
    });
  }

  #execute(connection: Connection, statement: Statement, answer: Answer): void {
    const context: Context = { connectionId: connection.id, now: this.now };
    const { transaction } = connection;
    if (transaction === null) {
      answer(null, execute(this.tables, statement, context));
      return;
    }
    transaction.work ??= this.tables.copy();
    let result: SqlResult;
    try {
      result = execute(transaction.work, statement, context);
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      this.world.count('mysql.duplicate keys');
      answer(error);
      return;
    }
    if (isWrite(statement)) transaction.statements.push(statement);
    answer(null, result);
  }

  #commit(connection: Connection): void {
    const { transaction } = connection;
    connection.transaction = null;
    const statements = transaction?.statements ?? [];
    if (statements.length > 0) {
      const before = this.tables;
      const after = before.copy();
      const context: Context = { connectionId: connection.id, now: this.now };
      for (const statement of statements) execute(after, statement, context);
      this.tables = after;
      // A span may have been planned before its job was changed, by requests of one batch: so the change is told after it.
      for (const [id, span] of after.spans) {
        if (!before.spans.has(id)) this.onSpanStored(span, after.jobs.get(span.job_id as number));
      }
      const settled = statements.some(({ sql }) => /^DELETE FROM `dalga` WHERE \(?id = \?/.test(sql));
      const stamp = after.state.stamp as number;
      for (const [id, row] of before.jobs) {
        if (after.jobs.get(id) !== row) this.onJobChanged(row, after.jobs.get(id));
        if (!after.jobs.has(id))
          this.commits.push({ keyHex: row.key_hex as string, row: null, settled, stamp });
      }
      for (const [id, row] of after.jobs) {
        if (before.jobs.get(id) === row) continue;
        this.commits.push({ keyHex: row.key_hex as string, row, settled, stamp });
      }
      this.onCommit(connection);
    }
    this.#unlock(connection);
  }

  #rollBack(connection: Connection): void {
    connection.transaction = null;
    this.#unlock(connection);
  }

  #unlock(connection: Connection): void {
    if (this.#holder !== connection) return;
    this.#holder = null;
    this.#waiters.shift()?.grant();
  }

  #kill(id: number, answer: Answer): void {
    const victim = this.connections.get(id);
    if (victim === undefined) {
      answer(sqlError(1094));
      return;
    }
    this.world.event('mysql.killed a connection', victim.committing ? 'in its commit' : '');
    // One that commits does so, and ends then.
    if (victim.committing) victim.gone = true;
    else this.close(victim);
    answer(null, { rows: [], affectedRows: 0 });
  }
}

/** What sessions belong to. */
export type Client = { readonly scope: Scope; readonly link: Link };
