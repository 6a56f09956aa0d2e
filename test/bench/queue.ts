import { randomBytes } from 'node:crypto';
import { type Channel, connect } from 'amqplib';
import type { PrivateRabbitmq } from '../../src/quickstart/private-servers.ts';

/** A durable queue that one run has for itself. */
export type BenchQueue = {
  readonly name: string;
  /** Messages that wait there. */
  count(): Promise<number>;
  purge(): Promise<void>;
  /** Deletes it. */
  remove(): Promise<void>;
};

export async function freshQueue(rabbitmq: PrivateRabbitmq): Promise<BenchQueue> {
  const { host, port, user, password, vhost } = rabbitmq;
  const login = { protocol: 'amqp', hostname: host, port, username: user, password };
  const name = `bench_${randomBytes(6).toString('hex')}`;
  // A connection for each call: none is to be served, or to break, while something is measured.
  const run = async <T>(work: (channel: Channel) => Promise<T>): Promise<T> => {
    const connection = await connect({ ...login, vhost: encodeURIComponent(vhost) });
    try {
      return await work(await connection.createChannel());
    } finally {
      await connection.close();
    }
  };
  await run((channel) => channel.assertQueue(name, { durable: true }));
  return {
    name,
    count: () => run(async (channel) => (await channel.checkQueue(name)).messageCount),
    purge: async () => void (await run((channel) => channel.purgeQueue(name))),
    remove: async () => void (await run((channel) => channel.deleteQueue(name))),
  };
}
