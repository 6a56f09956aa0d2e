import { type MessagePort, workerData } from 'node:worker_threads';
import { OffsetClock, systemTimers } from '../../../src/clock.ts';
import { measureJobs, openJobStream } from '../../../src/database/job-stream.ts';
import { createLog } from '../../../src/log.ts';
import type { SchedulerInit } from '../../../src/protocol/main-scheduler.ts';
import { typedPort } from '../../../src/protocol/typed-port.ts';
import { createPublisherPool, publisherThreads } from '../../../src/scheduler-thread/publisher-pool.ts';
import { type Publishers, SchedulerService } from '../../../src/scheduler-thread/service.ts';
import { Gauge } from './gauge.ts';

/** The scheduler thread as src/scheduler-thread/thread.ts puts it together, but for the gauge. */
const { init, port } = workerData as { init: SchedulerInit; port: MessagePort };
const { config, tag } = init;
const threads = publisherThreads(config.publisherThreads);
const BATCHES_PER_THREAD = 16;
const PUBLISHER = new URL('./measured-publisher.js', import.meta.url);

const gauge = new Gauge('scheduler');
new SchedulerService({
  init,
  port: typedPort(port),
  clock: new OffsetClock(init.clockOffset),
  timers: systemTimers,
  random: Math.random,
  log: createLog('scheduler', config.debug),
  startPublishers: (service) =>
    measured(
      createPublisherPool({
        init: { rabbitmq: config.rabbitmq, tag, debug: config.debug },
        threads,
        batchesPerThread: BATCHES_PER_THREAD,
        entry: PUBLISHER,
        onReport: (report) => service.hear(report),
        onThreadLost: (threadId, error) => service.loseThread(threadId, error),
      }),
    ),
  batchesAtOnce: threads * BATCHES_PER_THREAD,
  openTable: (afterId) => openJobStream(config.mysql, afterId),
  measureTable: () => measureJobs(config.mysql),
});

function measured(pool: Publishers): Publishers {
  return {
    async publish(batch) {
      // The pool transfers the batch's own.
      const times = batch.times.slice();
      const answer = await pool.publish(batch);
      gauge.noteLateness(times, answer.writtenAt);
      return answer;
    },
    close: () => pool.close(),
  };
}
