import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { OffsetClock, systemTimers } from '../clock.ts';
import type { Config } from '../config.ts';
import { measureJobs, openJobStream } from '../database/job-stream.ts';
import { createLog } from '../log.ts';
import type { SchedulerInit } from '../protocol/main-scheduler.ts';
import { typedPort } from '../protocol/typed-port.ts';
import { EarlyPublishers } from './early-publishers.ts';
import { BATCHES_PER_THREAD, publisherThreads } from './publisher-pool.ts';
import { type Publishers, SchedulerService, type SchedulerServiceOptions } from './service.ts';

type Port = SchedulerServiceOptions['port'];
type OpenTable = SchedulerServiceOptions['openTable'];

/** What stands around the parts of the scheduler thread; nothing by default. */
export type SchedulerThreadDeps = {
  /** The compiled entry of the publisher threads. */
  readonly entry?: URL;
  readonly publishers?: (publishers: Publishers) => Publishers;
  readonly port?: (port: Port) => Port;
  readonly openTable?: (open: OpenTable) => OpenTable;
};

/**
 * The composition root of the scheduler thread. It is started ahead of its work, which the first message of its worker
 * brings; null says that there is none after all.
 */
export function composeScheduler({
  entry,
  publishers = (pool) => pool,
  port: wrapPort = (port) => port,
  openTable = (open) => open,
}: SchedulerThreadDeps = {}): void {
  const { config, port } = workerData as { config: Config; port: MessagePort };
  const threads = publisherThreads(config.publisherThreads);
  const early = new EarlyPublishers({ init: { rabbitmq: config.rabbitmq }, threads, entry });
  const begin = (init: SchedulerInit) =>
    new SchedulerService({
      init,
      port: wrapPort(typedPort(port)),
      clock: new OffsetClock(init.clockOffset),
      timers: systemTimers,
      random: Math.random,
      log: createLog('scheduler', config.debug),
      startPublishers: () => publishers(early.pool),
      batchesAtOnce: threads * BATCHES_PER_THREAD,
      openTable: openTable((afterId) => openJobStream(config.mysql, afterId)),
      measureTable: () => measureJobs(config.mysql),
    });
  parentPort!.once('message', (init: SchedulerInit | null) => {
    if (init === null) void early.pool.close().then(() => port.close());
    else early.attach(begin(init));
  });
}
