import { publisherThreads } from '../../src/scheduler-thread/publisher-pool.ts';
import type { BareAnswer, BareOptions, BareRequest, BareTuning } from './baselines/bare-amqplib.ts';
import { Child } from './child.ts';

/** Found by trying: see README.md. */
export const TUNING: BareTuning = {
  channels: 1,
  window: 8000,
  perTurn: 512,
  highWaterMark: 1024,
  socketBuffer: 131_072,
  cork: true,
};

/** Publishes what Dalga would for these jobs, with bare amqplib and as many threads. Times in s. */
export async function runBare(
  { rabbitmq, messages }: Pick<BareOptions, 'rabbitmq' | 'messages'>,
  tuning: BareTuning = TUNING,
): Promise<{ seconds: number; cpu: number }> {
  const child = new Child<BareRequest, BareAnswer>(new URL('./baselines/bare-amqplib.js', import.meta.url));
  try {
    const { host, port, user, password, vhost } = rabbitmq;
    const threads = publisherThreads(0);
    const options = { rabbitmq: { host, port, user, password, vhost }, messages, threads, tuning };
    await child.ask({ type: 'prepare', options });
    const begun = performance.now();
    const { cpu } = await child.ask({ type: 'go' });
    return { seconds: (performance.now() - begun) / 1000, cpu };
  } finally {
    await child.close();
  }
}
