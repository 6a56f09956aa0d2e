import type { SqlResult, SqlSession } from '../../src/database/session.ts';
import { errnoOf, SequenceFailed, SessionLost, sessionEnds } from '../../src/database/sql-errors.ts';
import { type Statement, sessionSettings } from '../../src/database/statements.ts';
import type { Client, Connection, MysqlServer } from './mysql-server.ts';
import { sqlError } from './sql-error.ts';

/** ms, as the owner's sessions have it. */
const DEADLINE = 2000;

/** Opens a session with the simulated server, as `openSession` does with a real one. */
export async function connect(
  server: MysqlServer,
  client: Client,
  lease: number | null,
): Promise<SqlSession> {
  const { scope, link } = client;
  const { world } = server;
  await new Promise<void>((resolve, reject) => {
    if (link.isCut || server.frozen) {
      const late = () => reject(new SessionLost(`MySQL did not answer the login within ${DEADLINE} ms`));
      scope.after(DEADLINE, late);
      return;
    }
    scope.after(world.between(0.3, 3), () => {
      if (!server.up) reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
      else if (server.tooManyConnections) reject(sqlError(1040));
      else resolve();
    });
  });
  const session = new SimulatedSession(server, client);
  await session.run(sessionSettings(lease));
  return session;
}

type Pending = { readonly timer: unknown; reject(error: unknown): void };

/** The client's end, which behaves as the real session does. */
class SimulatedSession implements SqlSession {
  readonly #server: MysqlServer;
  readonly #client: Client;
  readonly #connection: Connection;
  #usable = true;
  #pending: Pending | null = null;

  constructor(server: MysqlServer, client: Client) {
    this.#server = server;
    this.#client = client;
    this.#connection = server.open(client.link, () => client.scope.after(0, () => this.#lost()));
    client.scope.onEnd(() => this.#leave());
  }

  get connectionId(): number {
    return this.#connection.id;
  }

  get usable(): boolean {
    return this.#usable;
  }

  async run(statement: Statement, deadline = DEADLINE): Promise<SqlResult> {
    try {
      const [result] = await this.runAll([statement], deadline);
      return result!;
    } catch (error) {
      throw error instanceof SequenceFailed ? error.cause : error;
    }
  }

  runAll(statements: readonly Statement[], deadline = DEADLINE): Promise<readonly SqlResult[]> {
    if (!this.#usable) return Promise.reject(new SessionLost('the connection to MySQL is closed'));
    const { scope, link } = this.#client;
    return new Promise((resolve, reject) => {
      const timer = scope.set(() => {
        this.destroy();
        reject(new SessionLost(`MySQL did not answer a statement within ${deadline} ms`));
      }, deadline);
      const pending: Pending = { timer, reject };
      this.#pending = pending;
      const answer = (error: unknown, results: readonly SqlResult[]) =>
        scope.after(0, () => {
          if (this.#pending !== pending) return;
          this.#pending = null;
          scope.clear(timer);
          if (error === null || error === undefined) return resolve(results);
          if (!sessionEnds(error)) return reject(new SequenceFailed(results.length, error));
          this.destroy();
          reject(errnoOf(error) === undefined ? new SessionLost((error as Error).message) : error);
        });
      this.#connection.sent = statements;
      link.send('up', () => this.#server.receive(this.#connection, statements, answer));
    });
  }

  destroy(): void {
    if (!this.#usable) return;
    this.#usable = false;
    this.#leave();
    const pending = this.#pending;
    this.#pending = null;
    if (pending === null) return;
    this.#client.scope.clear(pending.timer);
    pending.reject(new SessionLost('the connection to MySQL was destroyed'));
  }

  async close(): Promise<void> {
    this.destroy();
  }

  #lost(): void {
    if (!this.#usable) return;
    this.#usable = false;
    const pending = this.#pending;
    this.#pending = null;
    if (pending === null) return;
    this.#client.scope.clear(pending.timer);
    pending.reject(new SessionLost('Connection lost: The server closed the connection.'));
  }

  #leave(): void {
    this.#client.link.send('up', () => this.#server.leave(this.#connection));
  }
}
