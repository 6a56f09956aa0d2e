import type { MysqlConfig } from '../../../src/config.ts';
import type { Broker, SocketTuning } from './connect.ts';
import { answerWithThreads } from './threads.ts';

export type PollingTuning = SocketTuning & {
  /** Sessions of a thread, each with a batch of its own. */
  readonly sessions: number;
  /** Jobs in a batch. */
  readonly batch: number;
};

export type PollingOptions = {
  readonly mysql: MysqlConfig;
  readonly rabbitmq: Broker;
  /** All jobs are due at this time (Unix ms), once. */
  readonly until: number;
  readonly tuning: PollingTuning;
};

/** The classic way, as good as it can be made: see the thread. */
answerWithThreads<PollingOptions>(new URL('./polling-thread.js', import.meta.url));
