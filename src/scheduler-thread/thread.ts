import { type MessagePort, workerData } from 'node:worker_threads';
import { OffsetClock, systemTimers } from '../clock.ts';
import { measureJobs, openJobStream } from '../database/job-stream.ts';
import { createLog } from '../log.ts';
import type { SchedulerInit } from '../protocol/main-scheduler.ts';
import { typedPort } from '../protocol/typed-port.ts';
import { BATCHES_PER_THREAD, createPublisherPool, publisherThreads } from './publisher-pool.ts';
import { SchedulerService } from './service.ts';

/** The scheduler thread: its parts, put together. */
const { init, port } = workerData as { init: SchedulerInit; port: MessagePort };
const { config, tag } = init;
const threads = publisherThreads(config.publisherThreads);

new SchedulerService({
  init,
  port: typedPort(port),
  clock: new OffsetClock(init.clockOffset),
  timers: systemTimers,
  random: Math.random,
  log: createLog('scheduler', config.debug),
  startPublishers: (service) =>
    createPublisherPool({
      init: { rabbitmq: config.rabbitmq, tag, debug: config.debug },
      threads,
      onReport: (report) => service.hear(report),
      onThreadLost: (threadId, error) => service.loseThread(threadId, error),
    }),
  batchesAtOnce: threads * BATCHES_PER_THREAD,
  openTable: (afterId) => openJobStream(config.mysql, afterId),
  measureTable: () => measureJobs(config.mysql),
});
