import type { SeedOptions } from '../seed-table.ts';
import type { Broker, SocketTuning } from './connect.ts';
import { answerWithThreads } from './threads.ts';

export type BareTuning = SocketTuning & {
  /** Channels of a thread, on its one connection. */
  readonly channels: number;
  /** Messages that a thread has unconfirmed, at most. */
  readonly window: number;
  /** Messages that a channel gets in a turn of the event loop, at most. */
  readonly perTurn: number;
  /** Messages that a channel buffers before it asks to wait for `drain`. */
  readonly highWaterMark: number;
};

export type BareOptions = {
  readonly rabbitmq: Broker;
  /** The messages that Dalga would send for these jobs, once each. */
  readonly messages: SeedOptions;
  readonly tuning: BareTuning;
};

answerWithThreads<BareOptions>(new URL('./bare-amqplib-thread.js', import.meta.url));
