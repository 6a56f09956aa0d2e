import type { Timers } from '../clock.ts';
import { DalgaError, type PlainError } from '../errors.ts';
import type { EventInterest } from '../protocol/events.ts';
import type {
  Change,
  Progress,
  SchedulerCommand,
  SchedulerInit,
  SchedulerReport,
} from '../protocol/main-scheduler.ts';
import type { Answer, AnswerTo, Question } from '../protocol/questions.ts';
import { type TypedPort, unreachable } from '../protocol/typed-port.ts';

export type SchedulerEvents = {
  onStarted(): void;
  onProgress(progress: Progress): void;
  /** The load begins, of about so many jobs. */
  onLoading(jobs: number): void;
  onLoaded(jobs: number, duration: number): void;
  /** How many publisher threads reach RabbitMQ, and the reason why the last one that lost it does not. */
  onBroker(connected: number, reason: string | null): void;
  onEvents(report: Extract<SchedulerReport, { type: 'events' }>): void;
  /** The thread has ended by a fault. `startup`: the message is one for the operator. Called at most once. */
  onFailed(error: PlainError, startup: boolean): void;
};

/** Main's end of the port. */
export type SchedulerPort = TypedPort<SchedulerCommand, SchedulerReport>;

/** A question whose answer is still to come. */
type Asked = { resolve(answer: Answer): void; reject(error: DalgaError): void };

/** Main's end of the port to the scheduler thread. */
export class SchedulerClient {
  readonly #port: SchedulerPort;
  readonly #events: SchedulerEvents;
  readonly #timers: Timers;
  readonly #waiting = new Map<number, () => void>();
  readonly #questions = new Map<number, Asked>();
  #number = 0;
  /** The last batch of changes of which it is known that the scheduler took it in. */
  #taken = 0;
  #asked = 0;
  #onStopped: ((stopped: { progress: Progress; clean: boolean }) => void) | null = null;
  #failed = false;
  #ended = false;

  constructor(port: SchedulerPort, events: SchedulerEvents, timers: Timers) {
    this.#port = port;
    this.#events = events;
    this.#timers = timers;
    port.listen((report) => this.#hear(report));
  }

  /** Posts the changes of a committed batch. @returns their number, for `acknowledged` */
  post(changes: readonly Change[], reply: boolean): number {
    const number = ++this.#number;
    this.#port.send({ type: 'jobs.changed', number, changes, reply });
    return number;
  }

  /**
   * Resolves once the scheduler has taken in these changes, which were posted with `reply`, or after `timeout` ms.
   */
  acknowledged(number: number, timeout: number): Promise<void> {
    if (number <= this.#taken) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.#timers.clear(timer);
        this.#waiting.delete(number);
        before?.();
        resolve();
      };
      const before = this.#waiting.get(number);
      const timer = this.#timers.set(done, timeout);
      this.#waiting.set(number, done);
    });
  }

  /**
   * Asks the scheduler for what it has in memory.
   *
   * @param timeout ms
   * @throws DalgaError not_ready when the thread has ended, or does not answer in time
   */
  ask<Q extends Question>(question: Q, timeout: number): Promise<AnswerTo<Q>> {
    if (this.#failed || this.#ended) return Promise.reject(noAnswer('has ended'));
    const number = ++this.#asked;
    return new Promise((resolve, reject) => {
      const timer = this.#timers.set(() => {
        this.#questions.delete(number);
        reject(noAnswer('has not answered in time'));
      }, timeout);
      this.#questions.set(number, {
        resolve: (answer) => {
          this.#timers.clear(timer);
          // The scheduler answers what it was asked.
          resolve(answer as AnswerTo<Q>);
        },
        reject: (error) => {
          this.#timers.clear(timer);
          reject(error);
        },
      });
      this.#port.send({ type: 'question', number, question });
    });
  }

  trust(until: number): void {
    this.#port.send({ type: 'lease.trusted', until });
  }

  adjustClock(offset: number, stepped: boolean): void {
    this.#port.send({ type: 'clock.adjusted', offset, stepped });
  }

  /** What is to be told of runs; null: nobody listens. */
  wantEvents(interest: EventInterest | null): void {
    if (this.#failed || this.#ended) return;
    this.#port.send({ type: 'events.wanted', interest });
  }

  load(): void {
    this.#port.send({ type: 'load.start' });
  }

  /** @param deadline monotonic ms. @returns null when the thread has failed or does not answer in time */
  stop(deadline: number, timeout: number): Promise<{ progress: Progress; clean: boolean } | null> {
    if (this.#failed) return Promise.resolve(null);
    return new Promise((resolve) => {
      const timer = this.#timers.set(() => resolve(null), timeout);
      this.#onStopped = (stopped) => {
        this.#timers.clear(timer);
        resolve(stopped);
      };
      this.#port.send({ type: 'scheduler.stop', deadline });
    });
  }

  /** The thread has ended, or is to end, by a fault. */
  fail(error: PlainError, startup = false): void {
    if (this.#failed || this.#ended) return;
    this.#failed = true;
    for (const resolve of this.#waiting.values()) resolve();
    this.#refuseQuestions();
    this.#events.onFailed(error, startup);
  }

  #noteTaken(number: number): void {
    if (number > this.#taken) this.#taken = number;
  }

  #refuseQuestions(): void {
    for (const { reject } of this.#questions.values()) reject(noAnswer('has ended'));
    this.#questions.clear();
  }

  #hear(report: SchedulerReport): void {
    switch (report.type) {
      case 'scheduler.started':
        this.#events.onStarted();
        break;
      case 'changes.acknowledged':
        this.#noteTaken(report.number);
        this.#waiting.get(report.number)?.();
        break;
      case 'progress':
        this.#noteTaken(report.progress.applied);
        this.#events.onProgress(report.progress);
        break;
      case 'answer':
        this.#questions.get(report.number)?.resolve(report.answer);
        this.#questions.delete(report.number);
        break;
      case 'events':
        this.#events.onEvents(report);
        break;
      case 'load.begun':
        this.#events.onLoading(report.jobs);
        break;
      case 'load.finished':
        this.#events.onLoaded(report.jobs, report.duration);
        break;
      case 'broker.changed':
        this.#events.onBroker(report.connected, report.reason);
        break;
      case 'scheduler.stopped':
        // It ends by itself now.
        this.#ended = true;
        this.#refuseQuestions();
        this.#onStopped?.({ progress: report.progress, clean: report.clean });
        break;
      case 'scheduler.failed':
        this.fail(report.error, report.startup);
        break;
      default:
        unreachable(report);
    }
  }
}

function noAnswer(reason: string): DalgaError {
  return new DalgaError('not_ready', `the scheduler ${reason}`);
}

export type SchedulerThread = {
  readonly client: SchedulerClient;
  /** Ends the thread, which has `grace` ms to end by itself. */
  terminate(grace: number): Promise<void>;
};

/** Starts a scheduler, as a thread or otherwise. */
export type StartScheduler = (
  init: SchedulerInit,
  events: SchedulerEvents,
  timers: Timers,
) => SchedulerThread;
