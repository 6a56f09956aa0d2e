import type { Connection } from 'mysql2/promise';
import type { Test } from 'tap';
import { freePorts } from '../../src/quickstart/free-port.ts';
import type { Consumer, Received } from './consumer.ts';
import { type Instance, type Settings, startDalga } from './dalga-process.ts';
import { type TestRabbitmq, testMysql, testRabbitmq } from './servers.ts';

/** The program on a database of its own, and what a test needs around it. */
export type Service = {
  readonly settings: Settings;
  readonly broker: TestRabbitmq;
  readonly httpPort: number;
  readonly url: string;
  /** A queue of this test's alone, and what has come to it. */
  readonly queue: string;
  readonly consumer: Consumer;
  instance: Instance;
  /** A connection to its database. */
  connect(): Promise<Connection>;
  /** Starts it again on the same address. */
  start(): Promise<void>;
};

/** Starts the program, a queue and its consumer; all end with the test. */
export async function startService(t: Test, env: Readonly<Record<string, string>> = {}): Promise<Service> {
  const database = await testMysql();
  const broker = await testRabbitmq();
  const [httpPort] = (await freePorts(1)) as [number];
  const settings: Settings = {
    mysql: { ...database, table: 'dalga' },
    rabbitmq: broker,
    env,
  };
  const queue = broker.name('check_feed');
  const consumer = await broker.consume(queue);
  const service: Service = {
    settings,
    broker,
    httpPort,
    url: `http://127.0.0.1:${httpPort}`,
    queue,
    consumer,
    connect: () => database.connect(),
    instance: await startDalga(settings, httpPort),
    async start() {
      service.instance = await startDalga(settings, httpPort);
    },
  };
  t.teardown(async () => {
    service.instance.process.child.kill('SIGKILL');
    await service.instance.process.exited;
    await broker.close();
    await database.close();
  });
  return service;
}

/** The time that a message was scheduled for, Unix ms. */
export function scheduledAt(message: Received): number {
  return message.properties.headers!['x-dalga-scheduled-at'] as number;
}

/** Runs `task` for every item, at most `width` at a time. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of rest) await task(item);
    }),
  );
}
