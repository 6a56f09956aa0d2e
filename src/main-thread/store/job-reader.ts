import { systemTimers, type Timers } from '../../clock.ts';
import type { MysqlConfig } from '../../config.ts';
import { decodeJobRow, decodeScheduleRow } from '../../database/job-row.ts';
import { type Connect, openSession, type SqlSession } from '../../database/session.ts';
import { isLost } from '../../database/sql-errors.ts';
import { jobStatements } from '../../database/statements.ts';
import { DalgaError } from '../../errors.ts';
import type { JobKey, JobRow } from '../../job/job.ts';
import { type NamedJob, nameJob } from '../../job/named-job.ts';
import { keyText } from './batch-plan.ts';

/** Reads for GET, over connections of its own; a standby answers with it too. */
export type JobReader = {
  /** Null when there is no such row. @throws DalgaError database_unavailable */
  read(key: JobKey): Promise<JobRow | null>;
  /** All rows, over a connection of its own, a page at a time. @throws DalgaError database_unavailable */
  pages(): AsyncGenerator<readonly JobRow[]>;
  close(): Promise<void>;
};

export type JobReaderOptions = {
  readonly connect?: Connect;
  /** Connections. */
  readonly size?: number;
  readonly timers?: Timers;
  /** Runs something once all that this turn of the event loop brings was handled: setImmediate, unless told. */
  readonly afterTurn?: (run: () => void) => void;
};

const SIZE = 2;

/** Of a statement, and of a connection, ms. */
const DEADLINE = 2_000;

/** How long a question waits for its answer in all, ms: it may come while others wait for theirs. */
const LONGEST_WAIT = 3_000;
const KEYS_PER_STATEMENT = 500;
const ROWS_PER_PAGE = 500;

export function createJobReader(config: MysqlConfig, options: JobReaderOptions = {}): JobReader {
  return new CoalescingReader(config, options);
}

type Asked = {
  readonly named: NamedJob;
  resolve(row: JobRow | null): void;
  reject(error: DalgaError): void;
};

/** While all connections are busy, questions gather; the next free one asks them all in one statement. */
class CoalescingReader implements JobReader {
  readonly #connect: Connect;
  readonly #statements: ReturnType<typeof jobStatements>;
  readonly #idle: (SqlSession | null)[];
  readonly #timers: Timers;
  readonly #afterTurn: (run: () => void) => void;
  readonly #busy = new Set<Promise<void>>();
  #asked: Asked[] = [];
  #gathering = false;
  #closed = false;

  constructor(
    config: MysqlConfig,
    { connect, size = SIZE, timers = systemTimers, afterTurn = setImmediate }: JobReaderOptions,
  ) {
    this.#timers = timers;
    this.#afterTurn = afterTurn;
    this.#connect = connect ?? (() => openSession(config, { deadline: DEADLINE, connectTimeout: DEADLINE }));
    this.#statements = jobStatements(config.table);
    // A null is a connection that is not open yet, or was lost.
    this.#idle = Array.from({ length: size }, () => null);
  }

  read(key: JobKey): Promise<JobRow | null> {
    if (this.#closed) return Promise.reject(new DalgaError('stopping', 'this instance is stopping'));
    let timer: unknown;
    const answered = new Promise<JobRow | null>((resolve, reject) => {
      this.#asked.push({ named: nameJob(key), resolve, reject });
      timer = this.#timers.set(
        () => reject(new DalgaError('database_unavailable', 'MySQL has not answered in time')),
        LONGEST_WAIT,
      );
      this.#gather();
    });
    return answered.finally(() => this.#timers.clear(timer));
  }

  async *pages(): AsyncGenerator<readonly JobRow[]> {
    let session: SqlSession | null = null;
    try {
      session = await this.#connect();
      for (let afterId = 0; ; ) {
        const { rows } = await session.run(this.#statements.page(afterId, ROWS_PER_PAGE));
        if (rows.length === 0) return;
        const page = rows.map(decodeJobRow);
        afterId = page.at(-1)!.id;
        yield page;
      }
    } catch (error) {
      throw unreadable(error);
    } finally {
      await session?.close();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#next();
    await Promise.all(this.#busy);
    await Promise.all(this.#idle.map((session) => session?.close()));
  }

  /** Many connections have a request in one turn of the event loop: they are one statement. */
  #gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    this.#afterTurn(() => {
      this.#gathering = false;
      this.#next();
    });
  }

  #next(): void {
    if (this.#asked.length === 0 || this.#idle.length === 0) return;
    const session = this.#idle.pop() ?? null;
    const asked = this.#asked.splice(0, KEYS_PER_STATEMENT);
    const work = this.#answer(session, asked).then((left) => {
      this.#busy.delete(work);
      this.#idle.push(left);
      this.#next();
    });
    this.#busy.add(work);
  }

  /** Never rejects. @returns the session for the next statement */
  async #answer(session: SqlSession | null, asked: readonly Asked[]): Promise<SqlSession | null> {
    let current = session?.usable ? session : null;
    // One that has idled may be found dead only now; a new one that dies too is not tried again.
    for (let reused = current !== null; ; reused = false) {
      try {
        current ??= await this.#connect();
        const { rows } = await current.run(this.#statements.find(asked.map(({ named }) => named.hash)));
        const found = new Map(rows.map((row) => [keyText(row.at(-1) as Buffer), row]));
        for (const { named, resolve } of asked) {
          const row = found.get(keyText(named.hash));
          resolve(row === undefined ? null : decodeScheduleRow(row, named));
        }
        return current;
      } catch (error) {
        if (reused && isLost(error)) {
          current = null;
          continue;
        }
        current?.destroy();
        const failure = unreadable(error);
        for (const { reject } of asked) reject(failure);
        return null;
      }
    }
  }
}

/** What could not be read, as a client is told it. */
export function unreadable(error: unknown): DalgaError {
  const reason = error instanceof Error ? error.message : String(error);
  return new DalgaError('database_unavailable', `MySQL cannot be read now: ${reason}`, { cause: error });
}
