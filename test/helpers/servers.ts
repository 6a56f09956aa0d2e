import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import amqp, { type ChannelModel } from 'amqplib';
import mysql, { type Connection } from 'mysql2/promise';
import {
  type PrivateMysql,
  type PrivateRabbitmq,
  rabbitmqctl,
  startPrivateMysql,
  startPrivateRabbitmq,
} from '../../src/quickstart/private-servers.ts';
import { type Consumer, startConsumer } from './consumer.ts';

export { startPrivateMysql, startPrivateRabbitmq };

/**
 * `npm test` starts one MySQL and one RabbitMQ and names them in DALGA_TEST_MYSQL and DALGA_TEST_RABBITMQ. A
 * test file that is run alone starts its own at its first need; they end with its process.
 */
type Shared<T> = Pick<T, Extract<keyof T, 'host' | 'port' | 'user' | 'password' | 'ctlEnvironment'>>;
let mysqlServer: Promise<Shared<PrivateMysql>> | undefined;
let rabbitmqServer: Promise<Shared<PrivateRabbitmq>> | undefined;

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'dalga-test-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function sharedMysql(): Promise<Shared<PrivateMysql>> {
  const given = process.env.DALGA_TEST_MYSQL;
  if (given) return JSON.parse(given);
  const server = await startPrivateMysql({ folder: temporaryFolder() });
  server.unref();
  return server;
}

async function sharedRabbitmq(): Promise<Shared<PrivateRabbitmq>> {
  const given = process.env.DALGA_TEST_RABBITMQ;
  if (given) return JSON.parse(given);
  const server = await startPrivateRabbitmq({ folder: temporaryFolder() });
  server.unref();
  return server;
}

function unique(prefix: string): string {
  return `${prefix}_${randomBytes(6).toString('hex')}`;
}

export type TestMysql = {
  host: string;
  port: number;
  user: string;
  password: string;
  /** Of this call alone, and empty at first. */
  database: string;
  connect(): Promise<Connection>;
  /** Drops the database: `t.teardown(db.close)`. */
  close(): Promise<void>;
};

/** A database of one's own on the shared MySQL. */
export async function testMysql(): Promise<TestMysql> {
  mysqlServer ??= sharedMysql();
  const { host, port, user, password } = await mysqlServer;
  const login = { host, port, user, password };
  const database = unique('test');
  const run = async (sql: string): Promise<void> => {
    const connection = await mysql.createConnection(login);
    await connection.query(sql);
    await connection.end();
  };
  await run(`CREATE DATABASE ${database}`);
  return {
    ...login,
    database,
    connect: () => mysql.createConnection({ ...login, database }),
    close: () => run(`DROP DATABASE IF EXISTS ${database}`),
  };
}

export type TestRabbitmq = {
  host: string;
  port: number;
  user: string;
  password: string;
  vhost: string;
  /** The name of a queue, or exchange, that nobody else uses. */
  name(prefix?: string): string;
  connect(): Promise<ChannelModel>;
  /** Declares the durable queue, which `close` deletes, and collects what comes. */
  consume(queue: string): Promise<Consumer>;
  ctl(...args: string[]): Promise<string>;
  /** Ends the consumers, deletes their queues and the vhost if it is one's own: `t.teardown(broker.close)`. */
  close(): Promise<void>;
};

/**
 * The shared RabbitMQ. Names of one's own on the vhost `/` separate tests well enough and cost nothing; a vhost
 * of one's own takes a second of rabbitmqctl to make.
 */
export async function testRabbitmq(options: { ownVhost?: boolean } = {}): Promise<TestRabbitmq> {
  rabbitmqServer ??= sharedRabbitmq();
  const { host, port, user, password, ctlEnvironment } = await rabbitmqServer;
  const vhost = options.ownVhost ? unique('test') : '/';
  const ctl = (...args: string[]) => rabbitmqctl(ctlEnvironment, args);
  if (options.ownVhost) await ctl('eval', makeVhost(vhost, user));

  const login = { protocol: 'amqp', hostname: host, port, username: user, password, vhost };
  const connect = () => amqp.connect(login);
  const consumers: Consumer[] = [];
  return {
    ...{ host, port, user, password, vhost, ctl, connect },
    name: (prefix = 'test') => unique(prefix),
    consume: async (queue) => {
      const consumer = await startConsumer(await connect(), queue);
      consumers.push(consumer);
      return consumer;
    },
    close: async () => {
      await Promise.all(consumers.map((consumer) => consumer.close()));
      if (options.ownVhost) await ctl('delete_vhost', vhost);
    },
  };
}

/** Both in one call of rabbitmqctl, as each start of it takes most of a second. */
function makeVhost(vhost: string, user: string): string {
  const all = '<<".*">>, <<".*">>, <<".*">>';
  return `rabbit_vhost:add(<<"${vhost}">>, <<"${user}">>),
    rabbit_auth_backend_internal:set_permissions(<<"${user}">>, <<"${vhost}">>, ${all}, <<"${user}">>).`;
}
