import { systemTimers, type Timers } from '../../clock.ts';
import type { Connect, SqlSession } from '../../database/session.ts';
import { isLost } from '../../database/sql-errors.ts';
import { DalgaError } from '../../errors.ts';
import { unreadable } from './job-reader.ts';

export type SessionPoolOptions = {
  readonly connect: Connect;
  /** Connections. */
  readonly size: number;
  /** How long work waits for a connection, ms. */
  readonly longestWait: number;
  readonly timers?: Timers | undefined;
};

/** A few connections for reads that are asked now and then: each is opened at its first need, and then kept. */
export class SessionPool {
  readonly #options: SessionPoolOptions;
  readonly #timers: Timers;
  /** A null is a connection that is not open yet, or was lost. */
  readonly #idle: (SqlSession | null)[];
  /** Those that wait for one, in the order in which they came. */
  #waiting: ((session: SqlSession | null) => void)[] = [];
  #closed = false;

  constructor(options: SessionPoolOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
    this.#idle = Array.from({ length: options.size }, () => null);
  }

  /** Reads over one of the connections. @throws DalgaError database_unavailable, or what `work` throws of its own */
  async run<T>(work: (session: SqlSession) => Promise<T>): Promise<T> {
    const idle = await this.#acquire();
    let session = idle?.usable ? idle : null;
    try {
      // One that has idled may be found dead only now; a new one that dies too is not tried again.
      for (let reused = session !== null; ; reused = false) {
        try {
          session ??= await this.#options.connect();
          return await work(session);
        } catch (error) {
          if (reused && isLost(error)) {
            session = null;
            continue;
          }
          if (error instanceof DalgaError) throw error;
          session?.destroy();
          throw unreadable(error);
        }
      }
    } finally {
      this.#release(session?.usable ? session : null);
    }
  }

  /** What runs has its connection until it ends. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#idle.map((session) => session?.close()));
  }

  #acquire(): Promise<SqlSession | null> {
    if (this.#closed) return Promise.reject(new DalgaError('stopping', 'this instance is stopping'));
    if (this.#idle.length > 0) return Promise.resolve(this.#idle.pop() ?? null);
    return new Promise((resolve, reject) => {
      const take = (session: SqlSession | null) => {
        this.#timers.clear(timer);
        resolve(session);
      };
      const timer = this.#timers.set(() => {
        this.#waiting = this.#waiting.filter((one) => one !== take);
        reject(new DalgaError('database_unavailable', 'MySQL has not answered in time'));
      }, this.#options.longestWait);
      this.#waiting.push(take);
    });
  }

  #release(session: SqlSession | null): void {
    const next = this.#waiting.shift();
    if (next !== undefined) next(session);
    else if (this.#closed) void session?.close();
    else this.#idle.push(session);
  }
}
