import type { PrivateRabbitmq } from '../../src/quickstart/private-servers.ts';
import { Child } from './child.ts';
import type { HistogramData } from './histogram.ts';

type Address = Pick<PrivateRabbitmq, 'host' | 'port' | 'user' | 'password' | 'vhost'>;

export type ConsumerRequest =
  | { readonly type: 'start'; readonly rabbitmq: Address; readonly queue: string; readonly prefetch: number }
  | { readonly type: 'report' | 'reset' | 'close' };

export type ConsumerReport = {
  readonly received: number;
  /** Unix ms; null when nothing has come. */
  readonly firstAt: number | null;
  readonly lastAt: number | null;
  /** From the scheduled time to the receipt, ms: `Histogram.from` reads it. */
  readonly delay: HistogramData;
};

export type ConsumerAnswer = ConsumerReport | null;

/** A consumer in a process of its own, which acknowledges what comes and notes how late it came. */
export type LeanConsumer = {
  readonly pid: number;
  /** What has come since it was started, or reset. */
  report(): Promise<ConsumerReport>;
  /** The same, and begins anew. */
  reset(): Promise<ConsumerReport>;
  close(): Promise<void>;
};

const PREFETCH = 5000;

/** Declares the durable queue and consumes it. */
export async function startLeanConsumer(
  { host, port, user, password, vhost }: Address,
  queue: string,
  prefetch = PREFETCH,
): Promise<LeanConsumer> {
  const child = new Child<ConsumerRequest, ConsumerAnswer>(
    new URL('./lean-consumer-process.js', import.meta.url),
  );
  await child.ask({ type: 'start', rabbitmq: { host, port, user, password, vhost }, queue, prefetch });
  const asked = async (type: 'report' | 'reset'): Promise<ConsumerReport> =>
    (await child.ask({ type })) as ConsumerReport;
  return {
    pid: child.pid,
    report: () => asked('report'),
    reset: () => asked('reset'),
    async close() {
      await child.ask({ type: 'close' });
      await child.close();
    },
  };
}
