import type { Clock, Timers } from '../clock.ts';
import { decodeExceptions } from '../job/exceptions.ts';
import type { JobRow } from '../job/job.ts';
import type { PacedCatchUp } from '../job/paced-catch-up.ts';
import type { Span } from '../job/span.ts';
import type { EventInterest } from '../protocol/events.ts';
import type { Change, Progress, SchedulerCounters } from '../protocol/main-scheduler.ts';
import type { Answer, Question } from '../protocol/questions.ts';
import {
  Outcome,
  type OutcomeCode,
  type PublishAnswer,
  type PublishBatch,
  type PublisherReport,
} from '../protocol/scheduler-publisher.ts';
import { answer } from './answers.ts';
import { type BatchTerms, buildBatch } from './batch-builder.ts';
import { BatchesOut } from './batches-out.ts';
import { CatchUp } from './catch-up.ts';
import { CatchUpRate } from './catch-up-rate.ts';
import { Connections } from './connections.ts';
import { DueBatch, type Pacing, TURNS_IN_ONE_GO } from './due-batch.ts';
import { DueCount } from './due-count.ts';
import { EventNotes } from './event-notes.ts';
import { Intake } from './intake.ts';
import { Lapses } from './lapses.ts';
import { LatenessCount } from './lateness-count.ts';
import { LIMITS, type Limits } from './limits.ts';
import { isTaken, Occurrences } from './occurrences.ts';
import { OpenSpans } from './open-spans.ts';
import { ProgressReport } from './progress-report.ts';
import { describeReturned, type ReturnedMessage } from './return-log.ts';
import { noteRefusal, type RouteState, STALL_AFTER } from './routes.ts';
import { SpanDispatch } from './span-dispatch.ts';

/** Batches begun in one go: then the port, the answers and the timers have their turn. */
const BATCHES_IN_ONE_GO = 4;
/**
 * So long after a batch that was not full nothing more is handed out, ms: what becomes due meanwhile goes together. A
 * batch costs several times what a message does; a lone due job still leaves at once.
 */
const GATHER = 3;
/** Messages a second of all backfills together, where nothing else is set. */
const DEFAULT_RATE = 100;
/** While the table loads what is due is looked for this often, ms. */
const LOAD_WAKE = 10;
/**
 * A batch may be written for so long, as a share of the lease, also while the lease may be trusted for ever: what
 * waits in a publisher for longer comes back unsent, and is handed out under the trust of that moment.
 */
const TRUST_SHARE = 2 / 3;

export type SchedulerOptions = {
  readonly clock: Clock;
  readonly timers: Timers;
  /** 0 to 1, for the jitter of backoffs. */
  readonly random: () => number;
  readonly publish: (batch: PublishBatch) => Promise<PublishAnswer>;
  /** Batches that the publishers take at a time. */
  readonly batchesAtOnce: number;
  readonly limits?: Limits | undefined;
  /** ms between two frontiers while much is unsettled; 0, one for each report, unless told. */
  readonly frontierInterval?: number | undefined;
  readonly exchange: string;
  /** The first part of every message_id. */
  readonly tag: string;
  /** ms */
  readonly misfireAfter: number;
  /** The most missed times of a job that `misfire=all` runs. */
  readonly misfireBacklog: number;
  /** Catch-up runs a second; 0, which is the default, for no limit. */
  readonly catchupRate?: number;
  /** The durable watermark, Unix ms, and exceptions. */
  readonly watermark: number;
  readonly exceptions: Uint8Array;
  /** The runs by hand and backfills that are open. */
  readonly spans?: readonly Span[] | undefined;
  /** Messages a second of all backfills together. */
  readonly backfillRate?: number | undefined;
  /** Monotonic ms. */
  readonly trustedUntil: number;
  /** ms */
  readonly lease: number;
  readonly onReturned: (message: ReturnedMessage) => void;
  /** The broker refuses the messages of a route, or takes them again. */
  readonly onRefused: (route: RouteState) => void;
};

/** ms: Unix time, and monotonic. */
type Moment = { readonly now: number; readonly monotonic: number };

/**
 * The scheduler: takes what is due, hands it to the publishers in batches, and settles the outcomes.
 *
 * A lone due job leaves at once. While all publishers are busy what becomes due gathers, so that batches grow
 * with the load (see due-batch.ts).
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #limits: Limits;
  readonly #occurrences: Occurrences;
  readonly #intake: Intake;
  readonly #out = new BatchesOut(-1);
  readonly #spans: SpanDispatch;
  readonly #connected = new Connections();
  /** By exchange: the threads that cannot publish to it. */
  readonly #unusable = new Map<string, Set<number>>();
  readonly #lateness = new LatenessCount();
  readonly #dueCount = new DueCount();
  readonly #due: DueBatch;
  readonly #report: ProgressReport;
  #trustedUntil: number;
  #batchNumber = 0;
  #answersOpen = 0;
  /** Monotonic ms. */
  #gatherUntil = Number.NEGATIVE_INFINITY;
  /** The number of the last batch of changes. */
  #applied = 0;
  #timer: unknown;
  #loadTimer: unknown = null;
  #stopping = false;
  #onSettled: (() => void) | null = null;

  constructor(options: SchedulerOptions) {
    const { limits = LIMITS } = options;
    this.#options = options;
    this.#limits = limits;
    this.#trustedUntil = options.trustedUntil;
    this.#occurrences = new Occurrences(options.exchange, options.random, {
      misfireAfter: options.misfireAfter,
      backlog: options.misfireBacklog,
    });
    const exceptions = decodeExceptions(options.exceptions);
    const { watermark, misfireAfter, catchupRate = 0 } = options;
    const catchUp = new CatchUp(exceptions.caughtUp, watermark);
    const paced = tellsFrom(watermark, exceptions.paced ?? null);
    if (paced !== null) catchUp.lose();
    const from = catchUp.durable === null ? watermark : null;
    const now = options.clock.now();
    const lapses = catchupRate === 0 ? null : new Lapses({ misfireAfter, durable: paced, from, now });
    const pacing: Pacing | null = lapses && {
      ...{ rate: new CatchUpRate(catchupRate), lapses, misfireAfter, listed: limits.exceptions },
      loading: () => this.#intake.loading,
    };
    this.#due = new DueBatch({
      occurrences: this.#occurrences,
      limit: limits.batch,
      isUsable: (exchange) => this.#isUsable(exchange),
      pacing,
    });
    this.#spans = new SpanDispatch({
      ...options,
      spans: new OpenSpans(this.#occurrences.arena, options.spans ?? []),
      occurrences: this.#occurrences,
      mayDispatch: () => this.#mayDispatch(),
      terms: () => this.#terms(),
      publish: (batch, out) => this.#publish(batch, out),
      wake: () => this.wake(),
      rate: options.backfillRate ?? DEFAULT_RATE,
      limit: limits.batch,
      isUsable: (exchange) => this.#isUsable(exchange),
    });
    this.#report = new ProgressReport(this.#occurrences, options.clock, {
      ...{ limit: limits.exceptions, reuseFor: options.frontierInterval, catchUp, lapses },
    });
    this.#intake = new Intake(this.#occurrences, watermark, exceptions, { catchUp, paced, lapses });
  }

  /** Takes in the changes of one committed batch. */
  apply(number: number, changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.op === 'open' || change.op === 'end') this.#spans.apply(change);
      else {
        this.#intake.apply(change);
        this.#spans.jobChanged(change);
      }
    }
    this.#applied = number;
    this.wake();
  }

  /** The load begins, of about so many jobs. */
  expect(jobs: number): void {
    this.#intake.expect(jobs);
  }

  /** Takes in a row of the snapshot; what is due among them is dispatched while the rest loads. */
  load(row: JobRow): void {
    this.#intake.load(row);
    if (this.#loadTimer !== null) return;
    this.#loadTimer = this.#options.timers.set(() => {
      this.#loadTimer = null;
      this.wake();
    }, LOAD_WAKE);
  }

  /** Bytes that the jobs take. */
  get jobBytes(): number {
    return this.#occurrences.arena.bytes;
  }

  finishLoad(): void {
    this.#intake.finishLoad();
    this.#spans.finishLoad();
  }

  /** Monotonic ms. */
  trust(until: number): void {
    this.#trustedUntil = until;
    this.wake();
  }

  /** Dispatches what is due, and sets the timer for what is next. */
  wake(): void {
    this.#options.timers.clear(this.#timer);
    if (this.#stopping) return;
    this.#spans.dispatchRuns();
    for (let count = 0; this.#mayDispatch() && this.#gathering() <= 0; count++) {
      if (count === BATCHES_IN_ONE_GO) {
        this.#wakeIn(0);
        return;
      }
      const taken = this.#due.take(this.#options.clock.now(), this.#options.clock.monotonic());
      if (taken.length === 0) break;
      void this.#dispatch(taken);
    }
    if (this.#occurrences.queue.firstTime > this.#options.clock.now()) this.#spans.dispatchAll();
    const gathering = this.#gathering();
    // What waits for its route is looked at too, and may be due for a try already.
    const mayWait = gathering > 0 && this.#occurrences.waitingRoutes.size > 0;
    this.#wakeIn(mayWait ? gathering : Math.max(this.#untilNext(), gathering));
  }

  hear(report: PublisherReport): void {
    switch (report.type) {
      case 'outcomes.settled':
        this.#settleLate(report);
        break;
      case 'connection.changed':
        if (report.connected) this.#connected.add(report.threadId);
        else if (report.blocked) this.#connected.block(report.threadId);
        else this.#disconnected(report.threadId);
        break;
      case 'exchange.changed':
        this.#exchangeChanged(report.exchange, report.threadId, report.usable);
        break;
    }
    this.wake();
  }

  /** A publisher thread has ended: what it had and did not tell the end of may or may not have arrived. */
  loseThread(threadId: number): void {
    this.#disconnected(threadId);
    for (const out of [this.#out, this.#spans.out]) {
      for (const { number, size } of out.of(threadId)) this.#lose(number, size);
    }
    this.wake();
  }

  get connections(): number {
    return this.#connected.size;
  }

  /** How many missed runs of `misfire=all` jobs were dropped so far. */
  get cut(): number {
    return this.#occurrences.cut;
  }

  /** Jobs that do not run since their schedule cannot be told, since the last call. */
  takeUnknown(): readonly { readonly id: number; readonly reason: string }[] {
    const { arena } = this.#occurrences;
    const { unknown } = arena;
    if (unknown.length > 0) arena.unknown = [];
    return unknown;
  }

  /** What is to be told of runs from now on; null: nobody listens. */
  tellOf(interest: EventInterest | null): void {
    const { clock, tag, misfireAfter } = this.#options;
    const { arena, flights } = this.#occurrences;
    if (interest === null) {
      this.#occurrences.events = null;
      return;
    }
    this.#occurrences.events ??= new EventNotes({ arena, flights, clock, tag, misfireAfter });
    this.#occurrences.events.want(interest);
  }

  /** What there is to tell of runs since the last call; null when there is nothing. */
  takeEvents(): ReturnType<EventNotes['take']> {
    return this.#occurrences.events?.take() ?? null;
  }

  answer(question: Question): Answer | Promise<Answer> {
    const { clock, timers } = this.#options;
    return answer(question, {
      ...{ clock, timers, occurrences: this.#occurrences, lateness: this.#lateness.window },
      loading: this.#intake.loading,
      connections: this.#connected.size,
      isUsable: (exchange) => this.#isUsable(exchange),
    });
  }

  /** What main makes a checkpoint of. @param fresh of this very moment */
  progress(fresh = false): Progress {
    const { loading } = this.#intake;
    if (!loading && (this.#stopping || this.#connected.size === 0)) this.#holdDue();
    return {
      ...this.#report.read(this.#applied, { loading, fresh }),
      applied: this.#applied,
      settledJobs: this.#occurrences.takeSettledJobs(),
      spans: this.#spans.takeProgress(),
      counters: this.#counters(),
    };
  }

  /** Hands out nothing more, and resolves once nothing is with a publisher, or at the deadline (monotonic ms). */
  async stop(deadline: number): Promise<{ progress: Progress; clean: boolean }> {
    const { timers, clock } = this.#options;
    this.#stopping = true;
    timers.clear(this.#timer);
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        const timer = timers.set(resolve, deadline - clock.monotonic());
        this.#onSettled = () => {
          timers.clear(timer);
          resolve();
        };
      });
    }
    const progress = this.progress(true);
    const { loading } = this.#intake;
    const isListed = loading
      ? this.#occurrences.unsettledCount <= this.#limits.exceptions
      : this.#report.isComplete;
    // Until the table is loaded the durable checkpoint stays as it is, and what ran meanwhile runs again.
    const unwritten = loading && this.#occurrences.settledCount > 0;
    return { progress, clean: this.#inFlight === 0 && isListed && !unwritten };
  }

  /** What a stop waits for. */
  get #inFlight(): number {
    return this.#occurrences.flights.sent + this.#spans.inFlight;
  }

  #mayDispatch(): boolean {
    return (
      !this.#stopping &&
      this.#connected.size > 0 &&
      this.#answersOpen < this.#options.batchesAtOnce &&
      this.#occurrences.unconfirmed < this.#limits.unconfirmed &&
      this.#options.clock.monotonic() < this.#trustedUntil
    );
  }

  /** ms for which nothing is to be handed out yet. */
  #gathering(): number {
    return this.#gatherUntil - this.#options.clock.monotonic();
  }

  /** What is due and cannot be taken now is listed too: else the watermark would stop before what ran. */
  #holdDue(): void {
    const { queue } = this.#occurrences;
    const now = this.#options.clock.now();
    // In daily work others are to have their turn; a stop is to leave nothing.
    let left = this.#stopping ? Number.POSITIVE_INFINITY : TURNS_IN_ONE_GO;
    while (queue.firstTime <= now && this.#occurrences.unsettledCount <= this.#limits.exceptions) {
      if (this.#due.putOff(queue.firstSlot, now)) {
        if (--left === 0) return;
        continue;
      }
      const flight = this.#occurrences.takeTurn(queue.firstSlot, now);
      if (flight !== -1) this.#occurrences.hold(flight);
    }
    this.#due.listMissed(now);
  }

  /** What a thread knew of the exchanges goes with its connection. */
  #disconnected(threadId: number): void {
    this.#connected.delete(threadId);
    for (const exchange of [...this.#unusable.keys()]) this.#exchangeChanged(exchange, threadId, true);
  }

  #exchangeChanged(exchange: string, threadId: number, usable: boolean): void {
    const threads = this.#unusable.get(exchange) ?? new Set();
    if (usable) threads.delete(threadId);
    else threads.add(threadId);
    if (threads.size === 0) this.#unusable.delete(exchange);
    else this.#unusable.set(exchange, threads);
  }

  /** A thread that has not met the fault may still be able to publish. */
  #isUsable(exchange: string): boolean {
    let unusable = 0;
    for (const threadId of this.#unusable.get(exchange) ?? []) {
      if (this.#connected.has(threadId)) unusable++;
    }
    return unusable < this.#connected.size;
  }

  #terms(): BatchTerms {
    const { clock, tag, misfireAfter, lease } = this.#options;
    const now = clock.now();
    const monotonic = clock.monotonic();
    return {
      number: ++this.#batchNumber,
      trustedUntil: Math.min(this.#trustedUntil, monotonic + lease * TRUST_SHARE),
      clockOffset: now - monotonic,
      tag,
      now,
      misfireAfter,
    };
  }

  async #dispatch(taken: number[]): Promise<void> {
    const { clock } = this.#options;
    const { flights, arena } = this.#occurrences;
    if (taken.length < this.#limits.batch) this.#gatherUntil = clock.monotonic() + GATHER;
    const terms = this.#terms();
    const message = buildBatch(taken, flights, arena, terms);
    // The batch's own array goes to the publisher.
    const times = message.times.slice();
    this.#out.add(terms.number, taken);
    const answer = await this.#publish(message, this.#out);
    if (answer !== null) this.#lateness.note(times, answer.writtenAt, clock.monotonic());
    this.wake();
  }

  /** @returns null when the publisher thread has ended with the batch */
  async #publish(batch: PublishBatch, out: BatchesOut<unknown>): Promise<PublishAnswer | null> {
    const { number, count } = batch;
    this.#answersOpen++;
    // The pool tells of a thread that was lost.
    const answer = await this.#options.publish(batch).catch(() => null);
    this.#answersOpen--;
    if (answer === null) {
      this.#lose(number, count);
      return null;
    }
    out.answered(number, answer.threadId);
    const moment = this.#moment();
    for (let position = 0; position < count; position++) {
      const outcome = answer.outcomes[position] as OutcomeCode;
      if (outcome !== Outcome.pending) this.#settle(number, position, outcome, moment);
    }
    return answer;
  }

  #settleLate({
    batches,
    positions,
    outcomes,
  }: Extract<PublisherReport, { type: 'outcomes.settled' }>): void {
    const moment = this.#moment();
    for (let index = 0; index < batches.length; index++) {
      this.#settle(batches[index]!, positions[index]!, outcomes[index] as OutcomeCode, moment);
    }
  }

  #lose(number: number, size: number): void {
    const moment = this.#moment();
    for (let position = 0; position < size; position++) this.#settle(number, position, Outcome.lost, moment);
  }

  /** The clock is read once for all outcomes that come together. */
  #moment(): Moment {
    const { clock } = this.#options;
    return { now: clock.now(), monotonic: clock.monotonic() };
  }

  #settle(number: number, position: number, outcome: OutcomeCode, { now, monotonic }: Moment): void {
    const flight = this.#out.take(number, position);
    if (flight === -1) {
      const message = this.#spans.out.take(number, position);
      if (message === null) return;
      this.#noteRefusal(message.route, outcome, monotonic);
      this.#spans.settle(message, outcome);
    } else {
      const { flights, arena } = this.#occurrences;
      if (outcome === Outcome.returned) this.#options.onReturned(describeReturned(flight, flights, arena));
      this.#noteRefusal(flights.route.get(flight), outcome, monotonic);
      this.#occurrences.settle(flight, outcome, now, monotonic);
    }
    if (this.#onSettled !== null && this.#inFlight === 0) this.#onSettled();
  }

  #noteRefusal(index: number, outcome: OutcomeCode, monotonic: number): void {
    const taken = isTaken(outcome);
    if (!taken && outcome !== Outcome.nacked) return;
    const route = this.#occurrences.arena.routes.get(index);
    if (noteRefusal(route, taken, monotonic)) this.#options.onRefused(route);
  }

  /** ms until something may be due: a job, or a route that backs off. */
  #untilNext(): number {
    if (this.#stopping || this.#connected.size === 0) return Number.POSITIVE_INFINITY;
    const { clock } = this.#options;
    const monotonic = clock.monotonic();
    if (monotonic >= this.#trustedUntil) return Number.POSITIVE_INFINITY;
    const delay = this.#occurrences.queue.firstTime - clock.now();
    if (delay <= 0) {
      if (!this.#mayDispatch()) return Number.POSITIVE_INFINITY;
      // A confirm wakes it before that, unless none comes.
      return this.#due.isFull(monotonic) ? STALL_AFTER : 0;
    }
    const paced = this.#mayDispatch()
      ? this.#due.untilPaced(clock.now(), monotonic)
      : Number.POSITIVE_INFINITY;
    return Math.min(delay, this.#due.untilRetry(monotonic), this.#spans.untilNext(monotonic), paced);
  }

  #wakeIn(delay: number): void {
    if (delay === Number.POSITIVE_INFINITY) return;
    // Timers count whole ms: one that fires a fraction early would find nothing due.
    this.#timer = this.#options.timers.set(() => this.wake(), Math.ceil(delay));
  }

  #counters(): SchedulerCounters {
    const { clock } = this.#options;
    const { arena, queue, flights, counts } = this.#occurrences;
    return {
      ...counts,
      jobs: arena.size,
      jobBytes: arena.bytes,
      dueNow: this.#dueCount.read(queue, clock.now(), clock.monotonic()),
      inFlight: flights.sent,
      heldBack: flights.waiting,
      catchUpsWaiting: this.#occurrences.pacedCount,
      connections: this.#connected.size,
      reconnects: this.#connected.reconnects,
      spans: this.#spans.counters(),
      lateness: this.#lateness.read(),
    };
  }
}

/** How far the last owner had come in a paced catch-up, where it is told from this watermark (Unix ms). */
function tellsFrom(watermark: number, paced: PacedCatchUp | null): PacedCatchUp | null {
  if (paced === null || paced.lapses.length === 0) return null;
  return paced.lapses[0]!.from <= watermark && watermark <= paced.missedFrom ? paced : null;
}
