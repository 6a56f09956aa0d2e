import { publisherThreads } from '../../src/scheduler-thread/publisher-pool.ts';
import type { BareOptions, BareTuning } from './baselines/bare-amqplib.ts';
import type { Broker } from './baselines/connect.ts';
import type { ThreadsAnswer, ThreadsRequest } from './baselines/threads.ts';
import { Child } from './child.ts';
import type { SeedOptions } from './seed-table.ts';

/** Found by trying (`tune.ts`): see README.md. */
export const BARE: BareTuning = {
  channels: 1,
  window: 8000,
  perTurn: 512,
  highWaterMark: 1024,
  socketBuffer: 131_072,
  cork: true,
};

/** What a baseline took, in s: `cpu` is its process's alone. */
export type Took = { readonly seconds: number; readonly cpu: number };

/** Publishes what Dalga would for these jobs, with bare amqplib and as many threads as Dalga would have. */
export function runBare(rabbitmq: Broker, messages: SeedOptions, tuning = BARE): Promise<Took> {
  const program = new URL('./baselines/bare-amqplib.js', import.meta.url);
  return runThreads<BareOptions>(program, publisherThreads(0), {
    rabbitmq: addressOf(rabbitmq),
    messages,
    tuning,
  });
}

/** Connecting is no part of what is measured. */
export async function runThreads<Options>(program: URL, threads: number, options: Options): Promise<Took> {
  const child = new Child<ThreadsRequest<Options>, ThreadsAnswer>(program);
  try {
    await child.ask({ type: 'prepare', threads, options });
    const begun = performance.now();
    const { cpu } = await child.ask({ type: 'go' });
    return { seconds: (performance.now() - begun) / 1000, cpu };
  } finally {
    await child.close();
  }
}

/** As it can be sent to another process. */
export function addressOf({ host, port, user, password, vhost }: Broker): Broker {
  return { host, port, user, password, vhost };
}
