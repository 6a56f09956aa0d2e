import { randomBytes } from 'node:crypto';
import mysql, { type Connection } from 'mysql2/promise';
import type { MysqlConfig } from '../../src/config.ts';
import { createTables } from '../../src/main-thread/store/schema-check.ts';
import type { PrivateMysql } from '../../src/quickstart/private-servers.ts';

/** A database that one run has for itself, with Dalga's empty tables. */
export type BenchDatabase = MysqlConfig & {
  connect(): Promise<Connection>;
  drop(): Promise<void>;
};

export async function freshDatabase({ host, port, user, password }: PrivateMysql): Promise<BenchDatabase> {
  const login = { host, port, user, password };
  const database = `bench_${randomBytes(6).toString('hex')}`;
  const run = async (sql: string): Promise<void> => {
    const connection = await mysql.createConnection(login);
    await connection.query(sql);
    await connection.end();
  };
  await run(`CREATE DATABASE ${database}`);
  const config = { ...login, database, table: 'dalga' };
  await createTables(config);
  return {
    ...config,
    connect: () => mysql.createConnection({ ...login, database, supportBigNumbers: true }),
    drop: () => run(`DROP DATABASE IF EXISTS ${database}`),
  };
}
