import { type MessagePort, workerData } from 'node:worker_threads';
import { OffsetClock, systemTimers } from '../../src/clock.ts';
import { measureJobs, openJobStream } from '../../src/database/job-stream.ts';
import { createLog } from '../../src/log.ts';
import type { SchedulerInit } from '../../src/protocol/main-scheduler.ts';
import { typedPort } from '../../src/protocol/typed-port.ts';
import {
  BATCHES_PER_THREAD,
  createPublisherPool,
  publisherThreads,
} from '../../src/scheduler-thread/publisher-pool.ts';
import {
  type Publishers,
  SchedulerService,
  type SchedulerServiceOptions,
} from '../../src/scheduler-thread/service.ts';

type Port = SchedulerServiceOptions['port'];
type OpenTable = SchedulerServiceOptions['openTable'];

/** What stands around the parts of the scheduler thread. */
export type Wrappers = {
  /** The compiled entry of the publisher threads. */
  readonly entry: URL;
  readonly publishers: (publishers: Publishers) => Publishers;
  readonly port?: (port: Port) => Port;
  readonly openTable?: (open: OpenTable) => OpenTable;
};

/** The scheduler thread as src/scheduler-thread/thread.ts puts it together, with something around its parts. */
export function startComposedScheduler(wrappers: Wrappers): void {
  const { entry, publishers, port: wrapPort = (port) => port, openTable = (open) => open } = wrappers;
  const { init, port } = workerData as { init: SchedulerInit; port: MessagePort };
  const { config, tag } = init;
  const threads = publisherThreads(config.publisherThreads);
  new SchedulerService({
    init,
    port: wrapPort(typedPort(port)),
    clock: new OffsetClock(init.clockOffset),
    timers: systemTimers,
    random: Math.random,
    log: createLog('scheduler', config.debug),
    startPublishers: (service) =>
      publishers(
        createPublisherPool({
          init: { rabbitmq: config.rabbitmq, tag, debug: config.debug },
          threads,
          entry,
          onReport: (report) => service.hear(report),
          onThreadLost: (threadId, error) => service.loseThread(threadId, error),
        }),
      ),
    batchesAtOnce: threads * BATCHES_PER_THREAD,
    openTable: openTable((afterId) => openJobStream(config.mysql, afterId)),
    measureTable: () => measureJobs(config.mysql),
  });
}
