import { type MessagePort, workerData } from 'node:worker_threads';
import { OffsetClock, systemTimers } from '../../../src/clock.ts';
import { measureJobs, openJobStream } from '../../../src/database/job-stream.ts';
import { createLog } from '../../../src/log.ts';
import type { SchedulerInit } from '../../../src/protocol/main-scheduler.ts';
import { typedPort } from '../../../src/protocol/typed-port.ts';
import {
  BATCHES_PER_THREAD,
  createPublisherPool,
  publisherThreads,
} from '../../../src/scheduler-thread/publisher-pool.ts';
import { SchedulerService } from '../../../src/scheduler-thread/service.ts';
import { onFault } from './on-fault.ts';
import { theBreakage } from './the-breakage.ts';

/** The scheduler thread as src/scheduler-thread/thread.ts puts it together, but for the breakage. */
const { init, port } = workerData as { init: SchedulerInit; port: MessagePort };
const { config, tag } = init;
const breakage = theBreakage();
const threads = publisherThreads(config.publisherThreads);
const PUBLISHER = new URL('./publisher-with-fault.js', import.meta.url);

onFault('scheduler');
const open = (afterId: number) => openJobStream(config.mysql, afterId);
new SchedulerService({
  init,
  port: breakage.threadPort(typedPort(port)),
  clock: new OffsetClock(init.clockOffset),
  timers: systemTimers,
  random: Math.random,
  log: createLog('scheduler', config.debug),
  startPublishers: (service) => {
    const pool = createPublisherPool({
      init: { rabbitmq: config.rabbitmq, tag, debug: config.debug },
      threads,
      entry: PUBLISHER,
      onReport: (report) => service.hear(report),
      onThreadLost: (threadId, error) => service.loseThread(threadId, error),
    });
    return breakage.publishers(pool);
  },
  batchesAtOnce: threads * BATCHES_PER_THREAD,
  openTable: breakage.openTable(open),
  measureTable: () => measureJobs(config.mysql),
});
