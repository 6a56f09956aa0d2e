import type { Config } from '../config.ts';
import type { PlainError } from '../errors.ts';
import type { JobRow, SettledJob } from '../job/job.ts';
import type { Span, SpanProgress } from '../job/span.ts';
import type { EventInterest, LeftOut, RunEvent, RunEventType } from './events.ts';
import type { Lateness } from './lateness.ts';
import type { Answer, Question } from './questions.ts';

/**
 * All that crosses the port between the main thread and the scheduler thread. Main sends commands, the scheduler
 * sends reports; both are plain data.
 */

/** What the scheduler thread is given to do: the first message to its worker. It was started with the config and the port. */
export type SchedulerInit = {
  readonly config: Config;
  /** Four characters, made with the table: the first part of every message_id. */
  readonly tag: string;
  /** The durable watermark, Unix ms: every occurrence before it is settled, or is one of the exceptions. */
  readonly watermark: number;
  /** The durable exceptions, as `encodeExceptions` writes them. */
  readonly exceptions: Uint8Array;
  /** Main's clock: Unix time = monotonic time + offset, ms. */
  readonly clockOffset: number;
  /** Monotonic ms until which the lease may be trusted; Infinity while no standby could take it. */
  readonly trustedUntil: number;
  /** Bytes that jobs may take. */
  readonly memoryLimit: number;
  /** The runs by hand and backfills that are open. */
  readonly spans: readonly Span[];
};

/** A committed change of one job. */
export type JobChange =
  | { readonly op: 'upsert'; readonly row: JobRow }
  | { readonly op: 'remove'; readonly id: number };

/** A committed change of a run by hand or backfill. */
export type SpanChange =
  | { readonly op: 'open'; readonly span: Span }
  /** It is to publish nothing more. */
  | { readonly op: 'end'; readonly id: number };

export type Change = JobChange | SpanChange;

export type SchedulerCommand =
  /**
   * The changes of one committed batch, in the order of their commits. Numbers have no gaps: a report that says
   * `acknowledged: n` has a frontier of after the scheduler took in all batches up to n. `reply` asks for
   * `changes.acknowledged` at once.
   */
  | {
      readonly type: 'jobs.changed';
      readonly number: number;
      readonly changes: readonly Change[];
      readonly reply: boolean;
    }
  /** The lease was renewed. Monotonic ms. */
  | { readonly type: 'lease.trusted'; readonly until: number }
  /** The clock was slewed, or stepped: then it may have gone back. */
  | { readonly type: 'clock.adjusted'; readonly offset: number; readonly stepped: boolean }
  /** Open the snapshot and load the table: sent once main forwards every change. */
  | { readonly type: 'load.start' }
  /** Asked of what is in memory; the report `answer` has its number. */
  | { readonly type: 'question'; readonly number: number; readonly question: Question }
  /** What is to be told of runs from now on; null: nobody listens. */
  | { readonly type: 'events.wanted'; readonly interest: EventInterest | null }
  /** Hand out nothing more, settle what is in flight until the deadline (monotonic ms), then report `stopped`. */
  | { readonly type: 'scheduler.stop'; readonly deadline: number };

/** What a checkpoint is made of. */
export type Progress = {
  /** The last batch of changes that was taken in before the frontier was computed. */
  readonly acknowledged: number;
  /**
   * Unix ms. Every occurrence before it, of the jobs and changes taken in, is settled or is listed. Null until
   * the table is loaded: the durable watermark and exceptions then stay as they are.
   */
  readonly frontier: number | null;
  /** As `encodeExceptions` writes them. */
  readonly exceptions: Uint8Array;
  /** How many occurrences had settled when the frontier was computed: a checkpoint is worth writing when it grew. */
  readonly settledCount: number;
  /** The last batch of changes that was taken in by now: a frontier that is used again knows of fewer. */
  readonly applied: number;
  /** Jobs that settled for good since the last report. */
  readonly settledJobs: readonly SettledJob[];
  /** What the spans have done since the last report. */
  readonly spans: SpansProgress;
  readonly counters: SchedulerCounters;
};

export type SpansProgress = {
  readonly moved: readonly SpanProgress[];
  /** Ids of those that have nothing left to publish, or no job. */
  readonly ended: readonly number[];
};

/** Since the start of the scheduler unless said otherwise. */
export type SchedulerCounters = {
  /** Jobs in the arena now. */
  readonly jobs: number;
  /** Bytes that the jobs take now. */
  readonly jobBytes: number;
  /** Jobs whose time has come and that were not taken yet, now or up to a second ago. */
  readonly dueNow: number;
  /** Occurrences that came due: confirmed + returned + superseded + skipped + cancelled + in flight + held back. */
  readonly due: number;
  readonly dispatched: number;
  readonly confirmed: number;
  readonly returned: number;
  /** Messages that were returned, and that the exchange or queue for unroutable ones has taken. */
  readonly rerouted: number;
  readonly nacked: number;
  readonly lost: number;
  readonly superseded: number;
  /** Missed, and nothing ran for it: by the job's rule, or since there were too many. */
  readonly skipped: number;
  readonly cancelled: number;
  /** Durable exceptions that were due at the start: the last owner may have sent them already. */
  readonly recovered: number;
  /** Occurrences with a publisher now. */
  readonly inFlight: number;
  /** Occurrences that wait now: RabbitMQ is away, their route is not to be had, or the last try failed. */
  readonly heldBack: number;
  /** Jobs whose catch-up runs wait for DALGA_CATCHUP_RATE now; those that were taken already are held back, too. */
  readonly catchUpsWaiting: number;
  /** Publisher threads that are connected to RabbitMQ now. */
  readonly connections: number;
  /** Connections to RabbitMQ that were made in the place of lost ones. */
  readonly reconnects: number;
  readonly spans: SpanCounters;
  /** Of all messages that were written to a socket. */
  readonly lateness: Lateness;
};

/** What was asked for beside the schedules: none of it is among the occurrences. */
export type SpanCounters = {
  /** Runs by hand and backfills that are open now. */
  readonly openRuns: number;
  readonly openBackfills: number;
  /** Their messages that RabbitMQ has confirmed, those that it gave back among them. */
  readonly runs: number;
  readonly backfilled: number;
  /** Those of both that it gave back, since no queue takes them. */
  readonly returned: number;
};

export type SchedulerReport =
  /** The thread runs, and waits for `load.start`. */
  | { readonly type: 'scheduler.started' }
  | { readonly type: 'changes.acknowledged'; readonly number: number }
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'answer'; readonly number: number; readonly answer: Answer }
  /** Of runs, while somebody listens: at a bounded rate. */
  | {
      readonly type: 'events';
      readonly events: readonly RunEvent[];
      readonly leftOut: readonly LeftOut<RunEventType>[];
    }
  /** The table is open, and has about so many jobs. */
  | { readonly type: 'load.begun'; readonly jobs: number }
  | { readonly type: 'load.finished'; readonly jobs: number; readonly duration: number }
  /** A publisher thread gained or lost its connection to RabbitMQ. */
  | { readonly type: 'broker.changed'; readonly connected: number; readonly reason: string | null }
  /** The last report. `clean`: nothing was left with a publisher, and the exceptions list all the rest. */
  | { readonly type: 'scheduler.stopped'; readonly progress: Progress; readonly clean: boolean }
  /** It cannot start or go on; the thread ends. `startup`: the message is one for the operator. */
  | { readonly type: 'scheduler.failed'; readonly error: PlainError; readonly startup: boolean };
