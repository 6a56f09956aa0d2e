import type { Clock, Timers } from '../clock.ts';
import { StartupError, toPlainError } from '../errors.ts';
import type { JobRow } from '../job/job.ts';
import type { Log } from '../log.ts';
import { jobBytes } from '../protocol/job-memory.ts';
import type { SchedulerCommand, SchedulerInit, SchedulerReport } from '../protocol/main-scheduler.ts';
import type { Question } from '../protocol/questions.ts';
import type { PublishAnswer, PublishBatch, PublisherReport } from '../protocol/scheduler-publisher.ts';
import { type TypedPort, unreachable } from '../protocol/typed-port.ts';
import { BrokerLog } from './broker-log.ts';
import { CatchUpLog } from './catch-up-log.ts';
import { CutLog } from './cut-log.ts';
import type { Limits } from './limits.ts';
import { type LoaderOptions, loadTable } from './loader.ts';
import { RefusalLog } from './refusal-log.ts';
import { ReturnLog } from './return-log.ts';
import { Scheduler } from './scheduler.ts';

/** How much of the memory limit a load may take. */
const LOAD_TOLERANCE = 1.05;

/**
 * A frontier of many unsettled is made so often, as a share of the checkpoints' interval: with the time until the next
 * report, and to write it, what is durable is as a rule no older than the interval.
 */
const FRONTIER_SHARE = 0.7;

/** How often it tells of runs while somebody listens, ms. */
const EVENTS_INTERVAL = 100;

/** The table as it is now. */
export type TableMeasure = { readonly jobs: number; readonly bodyBytes: number };

/** The jobs do not fit into the memory limit. */
class TooManyJobs extends StartupError {
  constructor() {
    super('the jobs do not fit into DALGA_MEMORY_LIMIT');
  }
}

/** What the service asks of a pool of publishers. */
export type Publishers = {
  publish(batch: PublishBatch): Promise<PublishAnswer>;
  close(): Promise<void>;
};

export type SchedulerServiceOptions = {
  readonly init: SchedulerInit;
  readonly port: TypedPort<SchedulerReport, SchedulerCommand>;
  readonly clock: Clock & { setOffset(offset: number, stepped: boolean): void };
  readonly timers: Timers;
  readonly random: () => number;
  readonly log: Log;
  /** Starts the publishers, which report to `hear` and `loseThread`. */
  readonly startPublishers: (service: SchedulerService) => Publishers;
  /** Batches that the publishers take at a time. */
  readonly batchesAtOnce: number;
  readonly limits?: Limits;
  readonly openTable: LoaderOptions['open'];
  /** Counts the table's jobs and the bytes of their names. */
  readonly measureTable: () => Promise<TableMeasure>;
};

/**
 * The scheduler thread's service: does what main's commands ask of the scheduler, and reports to main. It is given
 * all that it touches, so that it runs as well on one thread with others.
 */
export class SchedulerService {
  readonly #options: SchedulerServiceOptions;
  readonly #scheduler: Scheduler;
  readonly #publishers: Publishers;
  readonly #brokerLog: BrokerLog;
  readonly #cutLog: CutLog;
  readonly #catchUpLog: CatchUpLog;
  readonly #reportInterval: number;
  #reportTimer: unknown;
  #eventsTimer: unknown = null;

  constructor(options: SchedulerServiceOptions) {
    const { init, port, clock, timers, log } = options;
    const returnLog = new ReturnLog(log, clock, init.tag);
    const refusalLog = new RefusalLog(log, clock);
    this.#options = options;
    this.#brokerLog = new BrokerLog(log);
    this.#cutLog = new CutLog(log, clock);
    this.#catchUpLog = new CatchUpLog(log, clock, init.config.catchupRate);
    // A checkpoint's age has that of the report which it is made of in it.
    this.#reportInterval = init.config.checkpointInterval / 5;
    this.#scheduler = new Scheduler({
      clock,
      timers,
      random: options.random,
      publish: (batch) => this.#publishers.publish(batch),
      batchesAtOnce: options.batchesAtOnce,
      limits: options.limits,
      frontierInterval: init.config.checkpointInterval * FRONTIER_SHARE,
      exchange: init.config.rabbitmq.exchange,
      tag: init.tag,
      misfireAfter: init.config.misfireAfter,
      misfireBacklog: init.config.misfireBacklog,
      catchupRate: init.config.catchupRate,
      watermark: init.watermark,
      exceptions: init.exceptions,
      spans: init.spans,
      backfillRate: init.config.backfillRate,
      trustedUntil: init.trustedUntil,
      lease: init.config.lease,
      onReturned: (message) => returnLog.note(message),
      onRefused: (route) => refusalLog.note(route),
    });
    this.#publishers = options.startPublishers(this);
    port.listen((command) => this.#obey(command));
    this.#reportTimer = timers.set(() => this.#reportAgain(), this.#reportInterval);
    port.send({ type: 'scheduler.started' });
  }

  /** A publisher thread speaks. */
  hear(message: PublisherReport): void {
    this.#scheduler.hear(message);
    if (message.type === 'connection.changed') {
      this.#brokerLog.connection(message);
      this.#tellConnections(message.reason);
    } else if (message.type === 'exchange.changed') {
      this.#brokerLog.exchange(message);
    }
  }

  /** A publisher thread has ended; another one takes its place. */
  loseThread(threadId: number, error: unknown): void {
    this.#brokerLog.lose(threadId, error);
    this.#scheduler.loseThread(threadId);
    this.#tellConnections('the publisher thread has ended, and another one takes its place');
  }

  #tellConnections(reason: string | null): void {
    this.#options.port.send({ type: 'broker.changed', connected: this.#scheduler.connections, reason });
  }

  #obey(command: SchedulerCommand): void {
    const { port, clock } = this.#options;
    switch (command.type) {
      case 'jobs.changed':
        this.#scheduler.apply(command.number, command.changes);
        if (command.reply) port.send({ type: 'changes.acknowledged', number: command.number });
        break;
      case 'lease.trusted':
        this.#scheduler.trust(command.until);
        break;
      case 'clock.adjusted':
        clock.setOffset(command.offset, command.stepped);
        this.#scheduler.wake();
        break;
      case 'load.start':
        void this.#load();
        break;
      case 'events.wanted':
        this.#scheduler.tellOf(command.interest);
        this.#options.timers.clear(this.#eventsTimer);
        if (command.interest !== null) this.#tellEventsAgain();
        break;
      case 'question':
        void this.#answer(command.number, command.question);
        break;
      case 'scheduler.stop':
        void this.#stop(command.deadline);
        break;
      default:
        unreachable(command);
    }
  }

  async #answer(number: number, question: Question): Promise<void> {
    const answer = await this.#scheduler.answer(question);
    this.#options.port.send({ type: 'answer', number, answer });
  }

  #tellEvents(): void {
    const told = this.#scheduler.takeEvents();
    if (told !== null) this.#options.port.send({ type: 'events', ...told });
  }

  #tellEventsAgain(): void {
    this.#tellEvents();
    this.#eventsTimer = this.#options.timers.set(() => this.#tellEventsAgain(), EVENTS_INTERVAL);
  }

  #report(): void {
    // Before main learns that a job is over, and deletes it: it may have to ask for its name.
    this.#tellEvents();
    this.#cutLog.note(this.#scheduler.cut);
    this.#tellUnknown();
    const progress = this.#scheduler.progress();
    this.#catchUpLog.note(progress.counters.catchUpsWaiting);
    this.#options.port.send({ type: 'progress', progress });
  }

  #tellUnknown(): void {
    const [first, ...others] = this.#scheduler.takeUnknown();
    if (first === undefined) return;
    this.#options.log.error(
      { id: first.id, jobs: others.length + 1 },
      `${others.length + 1} jobs do not run, since their schedule cannot be told, the first of them that of id ${first.id}: ${first.reason}`,
    );
  }

  #reportAgain(): void {
    this.#report();
    this.#reportTimer = this.#options.timers.set(() => this.#reportAgain(), this.#reportInterval);
  }

  async #load(): Promise<void> {
    const { port, clock, timers, log, openTable } = this.#options;
    const begun = clock.monotonic();
    try {
      const onOpen = (total: number) => {
        this.#scheduler.expect(total);
        port.send({ type: 'load.begun', jobs: total });
      };
      const onRow = (row: JobRow) => {
        this.#scheduler.load(row);
        // What the API has accepted is to fit again: its account was in part an estimate.
        if (this.#scheduler.jobBytes > this.#options.init.memoryLimit * LOAD_TOLERANCE)
          throw new TooManyJobs();
      };
      const jobs = await loadTable({ open: openTable, onOpen, onRow, clock, timers, log });
      this.#scheduler.finishLoad();
      this.#scheduler.wake();
      port.send({ type: 'load.finished', jobs, duration: clock.monotonic() - begun });
      this.#report();
    } catch (error) {
      const told = error instanceof TooManyJobs ? await this.#explainTooMany() : error;
      port.send({
        type: 'scheduler.failed',
        error: toPlainError(told),
        startup: told instanceof StartupError,
      });
    }
  }

  async #explainTooMany(): Promise<StartupError> {
    const { memoryLimit } = this.#options.init;
    const { jobs, bodyBytes } = await this.#options.measureTable();
    const needed = jobs === 0 ? 0 : jobs * jobBytes(bodyBytes / jobs);
    return new StartupError(
      `the table's ${jobs} jobs need about ${inMebibytes(needed)} MiB of memory, and DALGA_MEMORY_LIMIT allows ` +
        `${inMebibytes(memoryLimit)} MiB: raise it, or run on a machine with more memory`,
    );
  }

  async #stop(deadline: number): Promise<void> {
    const stopped = await this.#scheduler.stop(deadline);
    this.#options.timers.clear(this.#reportTimer);
    this.#options.timers.clear(this.#eventsTimer);
    this.#options.port.send({ type: 'scheduler.stopped', ...stopped });
    await this.#publishers.close();
    this.#options.port.close();
  }
}

function inMebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}
