import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mysql, { type Connection } from 'mysql2/promise';
import type { Test } from 'tap';
import type { MysqlConfig } from '../../../src/config.ts';
import { isPortFree } from '../../../src/quickstart/free-port.ts';
import { startPrivateMysql } from '../../../src/quickstart/private-servers.ts';
import { freeze } from '../../helpers/freeze.ts';

const USER = 'app';
const PASSWORD = 'of-the-app';
const DATABASE = 'app';

/** A MySQL of a test's own, which it may end, freeze and fill. */
export type OwnMysql = {
  /** What the program is given: a user without any privilege beyond its database, as in production. */
  readonly mysql: MysqlConfig;
  /** A connection of an administrator. */
  connect(): Promise<Connection>;
  /** One statement of an administrator. */
  query(sql: string): Promise<unknown[][]>;
  /** A clean shutdown. Resolves when the server has ended. */
  stop(): Promise<void>;
  /** SIGKILL. Resolves when the server has ended. */
  kill(): Promise<void>;
  /** Starts it again on its data, at its port. Resolves when it answers. @param others arguments in the place of those before */
  start(others?: readonly string[]): Promise<void>;
  freeze(): Promise<void>;
  thaw(): void;
};

/** What a small server needs: none of these touches its durability. */
const SMALL = ['--innodb-buffer-pool-size=16M', '--innodb-log-file-size=8M', '--performance-schema=OFF'];

/** Starts it; it ends with the test. */
export async function startOwnMysql(t: Test, args: readonly string[] = []): Promise<OwnMysql> {
  const folder = mkdtempSync(join(tmpdir(), 'dalga-test-'));
  const options = { folder, port: await lastingPort(), args: [...SMALL, ...args] };
  let server = await startPrivateMysql(options);
  t.teardown(async () => {
    server.kill('SIGCONT');
    server.kill('SIGKILL');
    await server.exited;
    rmSync(folder, { recursive: true, force: true });
  });
  const { host, port, user, password } = server;
  const connect = () => mysql.createConnection({ host, port, user, password, database: DATABASE });
  const query = async (sql: string): Promise<unknown[][]> => {
    const connection = await connect();
    try {
      const [rows] = await connection.query({ sql, rowsAsArray: true });
      return rows as unknown[][];
    } finally {
      await connection.end();
    }
  };
  const administrator = await mysql.createConnection({ host, port, user, password });
  await administrator.query(`CREATE DATABASE ${DATABASE}`);
  await administrator.query(`CREATE USER '${USER}'@'127.0.0.1' IDENTIFIED BY '${PASSWORD}'`);
  await administrator.query(`GRANT ALL PRIVILEGES ON ${DATABASE}.* TO '${USER}'@'127.0.0.1'`);
  await administrator.end();
  return {
    mysql: { host, port, user: USER, password: PASSWORD, database: DATABASE, table: 'dalga' },
    connect,
    query,
    stop: () => server.stop(),
    async kill() {
      server.kill('SIGKILL');
      await server.exited;
    },
    async start(others = args) {
      server = await startPrivateMysql({ ...options, args: [...SMALL, ...others] });
    },
    freeze: () => freeze(server.pid),
    thaw: () => server.kill('SIGCONT'),
  };
}

/** A port that stays free while the server is away: the system gives none below 32768 to whoever connects. */
async function lastingPort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    if (await isPortFree(port)) return port;
  }
}
