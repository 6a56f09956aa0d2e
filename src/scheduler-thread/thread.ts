import { type MessagePort, workerData } from 'node:worker_threads';
import { OffsetClock, systemTimers } from '../clock.ts';
import { openJobStream } from '../database/job-stream.ts';
import { toPlainError } from '../errors.ts';
import { createLog } from '../log.ts';
import type { SchedulerCommand, SchedulerInit, SchedulerReport } from '../protocol/main-scheduler.ts';
import type { PublisherReport } from '../protocol/scheduler-publisher.ts';
import { typedPort, unreachable } from '../protocol/typed-port.ts';
import { loadTable } from './loader.ts';
import { createPublisherPool, publisherThreads } from './publisher-pool.ts';
import { ReturnLog } from './return-log.ts';
import { Scheduler } from './scheduler.ts';

/** The scheduler thread: its parts, put together. */
const { init, port: rawPort } = workerData as { init: SchedulerInit; port: MessagePort };
const { config } = init;
const port = typedPort<SchedulerReport, SchedulerCommand>(rawPort);
const log = createLog('scheduler', config.debug);
const clock = new OffsetClock(init.clockOffset);
const timers = systemTimers;
const returnLog = new ReturnLog(log, clock);
const BATCHES_PER_THREAD = 16;

const pool = createPublisherPool({
  init: { rabbitmq: config.rabbitmq, tag: init.tag, debug: config.debug },
  threads: publisherThreads(config.publisherThreads),
  batchesPerThread: BATCHES_PER_THREAD,
  onReport: hearPublisher,
  onThreadLost(threadId, error) {
    log.error({ err: error, threadId }, 'a publisher thread has ended: another one takes its place');
    scheduler.loseThread(threadId);
  },
});

const scheduler = new Scheduler({
  clock,
  timers,
  random: Math.random,
  publish: (batch) => pool.publish(batch),
  batchesAtOnce: pool.threads * BATCHES_PER_THREAD,
  exchange: config.rabbitmq.exchange,
  misfireAfter: config.misfireAfter,
  watermark: init.watermark,
  exceptions: init.exceptions,
  trustedUntil: init.trustedUntil,
  onReturned: (exchange, routingKey) => returnLog.note(exchange, routingKey),
});

port.listen((command) => {
  switch (command.type) {
    case 'jobs.changed':
      scheduler.apply(command.number, command.changes);
      if (command.reply) port.send({ type: 'changes.acknowledged', number: command.number });
      break;
    case 'lease.trusted':
      scheduler.trust(command.until);
      break;
    case 'clock.adjusted':
      clock.setOffset(command.offset);
      scheduler.wake();
      break;
    case 'load.start':
      void load();
      break;
    case 'scheduler.stop':
      void stop(command.deadline);
      break;
    default:
      unreachable(command);
  }
});

// Five reports in the time between two checkpoints keep the durable one younger than that.
const reports = setInterval(report, config.checkpointInterval / 5);
port.send({ type: 'scheduler.started' });

function report(): void {
  port.send({ type: 'progress', progress: scheduler.progress() });
}

async function load(): Promise<void> {
  const begun = clock.monotonic();
  try {
    const jobs = await loadTable({
      open: (afterId) => openJobStream(config.mysql, afterId),
      onRow: (row) => scheduler.load(row),
      clock,
      timers,
      log,
    });
    scheduler.finishLoad();
    scheduler.wake();
    port.send({ type: 'load.finished', jobs, duration: clock.monotonic() - begun });
    report();
  } catch (error) {
    port.send({ type: 'scheduler.failed', error: toPlainError(error), startup: false });
  }
}

async function stop(deadline: number): Promise<void> {
  const stopped = await scheduler.stop(deadline);
  clearInterval(reports);
  await pool.close();
  port.send({ type: 'scheduler.stopped', ...stopped });
}

function hearPublisher(message: PublisherReport): void {
  scheduler.hear(message);
  if (message.type === 'connection.changed') {
    if (message.connected) log.info({ threadId: message.threadId }, 'connected to RabbitMQ');
    else log.warn({ threadId: message.threadId }, `not connected to RabbitMQ: ${message.reason}`);
    port.send({ type: 'broker.changed', connected: scheduler.connections, reason: message.reason });
  } else if (message.type === 'exchange.changed') {
    if (message.usable) log.info(`exchange ${JSON.stringify(message.exchange)} can be published to again`);
    else log.error(`exchange ${JSON.stringify(message.exchange)} cannot be published to: ${message.reason}`);
  }
}
