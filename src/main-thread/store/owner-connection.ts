import type { Clock, Timers } from '../../clock.ts';
import type { MysqlConfig } from '../../config.ts';
import { endConnection } from '../../database/end-connection.ts';
import type { Connect, SqlSession } from '../../database/session.ts';
import { SessionLost } from '../../database/sql-errors.ts';

const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 1_000;

export type OwnerConnectionOptions = {
  readonly mysql: MysqlConfig;
  /** The session to begin with. */
  readonly session: SqlSession;
  readonly connect: Connect;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  /** MySQL went away (why, for a person), or is back (null). */
  readonly onConnection: (reason: string | null) => void;
};

/**
 * The owner's one write connection, made anew when it was lost. A session that is given up is ended on the server
 * too, before its successor is used, so that it can neither hold the state row's lock nor still commit.
 */
export class OwnerConnection {
  readonly #options: OwnerConnectionOptions;
  #session: SqlSession | null;
  /** Connection ids that may live on at the server. */
  readonly #abandoned = new Set<number>();
  #pause = FIRST_PAUSE;
  /** Monotonic ms: no attempt to connect before it. */
  #nextAttempt = 0;
  #away = false;
  #closed = false;

  constructor(options: OwnerConnectionOptions) {
    this.#session = options.session;
    this.#options = options;
  }

  /**
   * The session to go on with.
   *
   * @param until monotonic ms: how long it may take
   * @throws the last error when there is none by then
   */
  async session(until: number): Promise<SqlSession> {
    if (this.#session?.usable) return this.#session;
    this.#giveUp();
    let failure: unknown = new SessionLost('the connection to MySQL was lost');
    for (;;) {
      if (this.#closed) throw new SessionLost('the session was closed');
      const wait = this.#nextAttempt - this.#options.clock.monotonic();
      if (wait > 0) {
        if (this.#nextAttempt >= until) {
          await this.sleep(Math.max(until - this.#options.clock.monotonic(), 0));
          throw failure;
        }
        await this.sleep(wait);
        continue;
      }
      try {
        return await this.#open();
      } catch (error) {
        failure = error;
        this.#failed(error);
        if (this.#options.clock.monotonic() >= until) throw failure;
      }
    }
  }

  /** Gives the session up: it was lost, or what it did is not known. Again for one that was given up it does nothing. */
  lose(session: SqlSession, error: unknown): void {
    session.destroy();
    if (session !== this.#session) return;
    this.#giveUp();
    this.#noteAway(error);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#session?.close();
    this.#session = null;
  }

  /** Ends it at once: what waits for MySQL fails. */
  destroy(): void {
    this.#closed = true;
    this.#session?.destroy();
    this.#session = null;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.timers.set(resolve, ms);
    });
  }

  async #open(): Promise<SqlSession> {
    const { connect, mysql, onConnection } = this.#options;
    const session = await connect();
    try {
      for (const id of this.#abandoned) {
        await endConnection(session, id, mysql);
        this.#abandoned.delete(id);
      }
    } catch (error) {
      session.destroy();
      throw error;
    }
    if (this.#closed) {
      session.destroy();
      throw new SessionLost('the session was closed');
    }
    this.#session = session;
    this.#pause = FIRST_PAUSE;
    if (this.#away) {
      this.#away = false;
      onConnection(null);
    }
    return session;
  }

  #failed(error: unknown): void {
    const { clock, random } = this.#options;
    // Jitter, so that the instances of a cluster do not all come back in the same moment.
    this.#nextAttempt = clock.monotonic() + this.#pause * (0.5 + random());
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    this.#noteAway(error);
  }

  #noteAway(error: unknown): void {
    if (this.#away || this.#closed) return;
    this.#away = true;
    this.#options.onConnection(error instanceof Error ? error.message : String(error));
  }

  #giveUp(): void {
    if (this.#session === null) return;
    this.#abandoned.add(this.#session.connectionId);
    this.#session = null;
  }
}
