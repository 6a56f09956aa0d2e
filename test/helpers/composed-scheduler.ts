import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { OffsetClock, systemTimers } from '../../src/clock.ts';
import type { Config } from '../../src/config.ts';
import { measureJobs, openJobStream } from '../../src/database/job-stream.ts';
import { createLog } from '../../src/log.ts';
import type { SchedulerInit } from '../../src/protocol/main-scheduler.ts';
import { typedPort } from '../../src/protocol/typed-port.ts';
import { EarlyPublishers } from '../../src/scheduler-thread/early-publishers.ts';
import { BATCHES_PER_THREAD, publisherThreads } from '../../src/scheduler-thread/publisher-pool.ts';
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
  const { config, port } = workerData as { config: Config; port: MessagePort };
  const threads = publisherThreads(config.publisherThreads);
  const early = new EarlyPublishers({ init: { rabbitmq: config.rabbitmq }, threads, entry });
  parentPort!.once('message', async (init: SchedulerInit | null) => {
    if (init === null) {
      await early.pool.close();
      port.close();
      return;
    }
    const service = new SchedulerService({
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
    early.attach(service);
  });
}
