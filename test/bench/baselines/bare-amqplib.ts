import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { PrivateRabbitmq } from '../../../src/quickstart/private-servers.ts';
import { answerParent } from '../child.ts';
import type { SeedOptions } from '../seed-table.ts';

/** How amqplib is used: `TUNING` in the row was found by trying (see README.md). */
export type BareTuning = {
  /** Channels of a thread, on its one connection. */
  readonly channels: number;
  /** Messages that a thread has unconfirmed, at most. */
  readonly window: number;
  /** Messages that a channel gets in a turn of the event loop, at most. */
  readonly perTurn: number;
  /** Messages that a channel buffers before it asks to wait for `drain`. */
  readonly highWaterMark: number;
  /** Bytes that the socket buffers before amqplib waits for its `drain`. */
  readonly socketBuffer: number;
  /** Whether a turn's messages go to the socket in one write. */
  readonly cork: boolean;
};

export type BareOptions = {
  readonly rabbitmq: Pick<PrivateRabbitmq, 'host' | 'port' | 'user' | 'password' | 'vhost'>;
  /** The messages that Dalga would send for these jobs, once each. */
  readonly messages: SeedOptions;
  readonly threads: number;
  readonly tuning: BareTuning;
};

export type BareRequest =
  | { readonly type: 'prepare'; readonly options: BareOptions }
  | { readonly type: 'go' };

/** s of CPU of the process, from `go` to the last confirm. */
export type BareAnswer = { readonly cpu: number };

/** A bare publisher as a process of its own: `prepare` connects its threads, `go` publishes all. */
let workers: Worker[] = [];

answerParent<BareRequest, BareAnswer>(async (request) => {
  switch (request.type) {
    case 'prepare': {
      const { options } = request;
      workers = Array.from(
        { length: options.threads },
        (_, thread) =>
          new Worker(new URL('./bare-amqplib-thread.js', import.meta.url), {
            workerData: { ...options, thread },
          }),
      );
      await Promise.all(workers.map((worker) => once(worker, 'message')));
      return { cpu: 0 };
    }
    case 'go': {
      const before = process.cpuUsage();
      const done = workers.map((worker) => once(worker, 'message'));
      for (const worker of workers) worker.postMessage('go');
      await Promise.all(done);
      const { user, system } = process.cpuUsage(before);
      return { cpu: (user + system) / 1e6 };
    }
  }
});
