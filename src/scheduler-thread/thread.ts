import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { OffsetClock, systemTimers } from '../clock.ts';
import type { Config } from '../config.ts';
import { measureJobs, openJobStream } from '../database/job-stream.ts';
import { createLog } from '../log.ts';
import type { SchedulerInit } from '../protocol/main-scheduler.ts';
import { typedPort } from '../protocol/typed-port.ts';
import { EarlyPublishers } from './early-publishers.ts';
import { BATCHES_PER_THREAD, publisherThreads } from './publisher-pool.ts';
import { SchedulerService } from './service.ts';

/** The scheduler thread: its parts, put together. It is started ahead of its work, which the first message brings. */
const { config, port } = workerData as { config: Config; port: MessagePort };
const threads = publisherThreads(config.publisherThreads);
const publishers = new EarlyPublishers({ init: { rabbitmq: config.rabbitmq }, threads });

parentPort!.once('message', async (init: SchedulerInit | null) => {
  if (init === null) {
    // There is no work for it after all.
    await publishers.pool.close();
    port.close();
    return;
  }
  const service = new SchedulerService({
    init,
    port: typedPort(port),
    clock: new OffsetClock(init.clockOffset),
    timers: systemTimers,
    random: Math.random,
    log: createLog('scheduler', config.debug),
    startPublishers: () => publishers.pool,
    batchesAtOnce: threads * BATCHES_PER_THREAD,
    openTable: (afterId) => openJobStream(config.mysql, afterId),
    measureTable: () => measureJobs(config.mysql),
  });
  publishers.attach(service);
});
