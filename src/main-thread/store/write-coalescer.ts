import type { Clock, Timers } from '../../clock.ts';
import { systemTimers } from '../../clock.ts';
import { decodeScheduleRow, PAYLOAD_COLUMN } from '../../database/job-row.ts';
import { type SpanStatements, spanStatements } from '../../database/span-statements.ts';
import { isDuplicateKey, isRetryable, isServerWide } from '../../database/sql-errors.ts';
import { type JobStatements, jobStatements, type Statement } from '../../database/statements.ts';
import { DalgaError } from '../../errors.ts';
import type { JobRequest } from '../../job/change-row.ts';
import type { IfMatch } from '../../job/entity-tag.ts';
import type { JobKey, JobRow, SettledJob } from '../../job/job.ts';
import { type NamedJob, nameJob } from '../../job/named-job.ts';
import type { Span } from '../../job/span.ts';
import type { Change } from '../../protocol/main-scheduler.ts';
import {
  type BatchPlan,
  type JobEvent,
  keyText,
  planBatch,
  type WriteAnswer,
  type WriteRequest,
} from './batch-plan.ts';
import { NewJobs } from './new-jobs.ts';
import type { Decision, OwnerSession, StoreLog, Transaction } from './owner-session.ts';
import { Fenced, isUncertain } from './owner-session.ts';
import { BATCH_BYTES, RequestQueue, type Waiting } from './request-queue.ts';
import { isUnavailable, outcomeUnknown, refusal, stopping, unexpected } from './request-refusals.ts';
import { SettledDeletion } from './settled-deletion.ts';
import { SettledJobs } from './settled-jobs.ts';
import type { StampGate } from './watermark-gate.ts';

export type CoalescerOptions = {
  readonly session: OwnerSession;
  readonly gate: StampGate;
  readonly table: string;
  readonly clock: Clock;
  readonly timers?: Timers;
  readonly log: StoreLog;
  /**
   * Posts the changes of a committed batch to the scheduler, in the order of the commits, and returns the number
   * that it gave them. `reply`: a request waits for the acknowledgement. `added`: what was admitted of them, bytes.
   */
  readonly post: (changes: readonly Change[], reply: boolean, added: number) => number;
  /**
   * Refuses (throws DalgaError insufficient_memory) what does not fit; called while planning, may repeat.
   *
   * @param more what a job takes that is new, or what one takes more than before, bytes
   * @param added the same of the changes before it in its batch
   */
  readonly admit?: (more: number, added: number) => void;
  /** A transaction has carried out so many requests. */
  readonly onBatch?: (requests: number) => void;
  /** Told what a committed batch has made of its jobs, while somebody listens. */
  readonly events?: JobEventSink | undefined;
};

export type JobEventSink = {
  /** Whether somebody listens. */
  readonly heard: boolean;
  changed(events: readonly JobEvent[]): void;
};

/** The stored rows of a batch are too many bytes to be written again in one transaction. */
class BatchTooLarge extends Error {}

/** Each promise rejects with a DalgaError of the catalogue; then nothing was written, but for outcome_unknown. */
export type WriteCoalescer = {
  put(
    key: JobKey,
    request: JobRequest,
    options: { onlyCreate: boolean; ifMatch?: IfMatch },
  ): Promise<{ readonly created: boolean; readonly row: JobRow; readonly number: number }>;
  /** With the number of changes to wait for; null when there is no such job. */
  post(
    key: JobKey,
    request: JobRequest,
    ifMatch?: IfMatch,
  ): Promise<{ readonly row: JobRow; readonly number: number } | null>;
  /**
   * Writes for many jobs, as `put`. What is refused is told for each; single requests go before, so that it may take
   * its time.
   */
  putAll(
    puts: readonly { readonly key: JobKey; readonly request: JobRequest }[],
  ): Promise<readonly ('created' | 'stored' | DalgaError)[]>;
  /**
   * The same change (null: its deletion) of many jobs, as `putAll`: for each whether it was there, and the number of
   * changes to wait for (0: none).
   *
   * @param when a job for which it does not hold when it is written counts as not there
   */
  changeAll(
    jobs: readonly NamedJob[],
    change: JobRequest | null,
    when: (row: JobRow) => boolean,
  ): Promise<readonly ({ readonly there: boolean; readonly number: number } | DalgaError)[]>;
  /** The number of changes to wait for (0: none), null when there is no such job. */
  delete(key: JobKey, ifMatch?: IfMatch): Promise<number | null>;
  /** Opens a span of one run, or of all scheduled times of a part of the past (Unix ms). Null when there is no such job. */
  open(key: JobKey, past: { readonly from: number; readonly to: number } | null): Promise<Span | null>;
  /** Ends a span: the number of changes to wait for, null when there is no such span. */
  end(span: number): Promise<number | null>;
  /** One-off jobs that settled: they are absent from here on, and are deleted soon. */
  settled(jobs: readonly SettledJob[]): void;
  /** Whether this version of a row is settled and only waits for its deletion: it is 404 to the API. */
  isSettled(id: number, version: number): boolean;
  /** Refuses what comes from here on with `stopping`, and resolves when all that came before is answered. */
  stop(): Promise<void>;
};

export function createWriteCoalescer(options: CoalescerOptions): WriteCoalescer {
  return new Coalescer(options);
}

/**
 * Makes one transaction of many requests: whatever has come while one transaction ran goes into the next. Without
 * load a request is its own transaction and waits for nothing.
 *
 *   queued -> in a batch -> answered
 *      |          |\------> queued again in half a batch, when a statement failed for what one of them wants
 *      |          \-------> queued again, one of a bulk load, when MySQL was too slow for its batch, or away
 *      \------------------> refused, when no batch took it in time
 */
class Coalescer implements WriteCoalescer {
  readonly #options: CoalescerOptions;
  readonly #timers: Timers;
  readonly #statements: JobStatements;
  readonly #spanStatements: SpanStatements;
  readonly #queue: RequestQueue;
  readonly #newJobs = new NewJobs();
  readonly #settled = new SettledJobs();
  readonly #deletion: SettledDeletion;
  #settledTimer: unknown = null;
  #pumping: Promise<void> | null = null;
  #stopping = false;

  constructor(options: CoalescerOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
    this.#statements = jobStatements(options.table);
    this.#spanStatements = spanStatements(options.table);
    this.#queue = new RequestQueue(options.clock, this.#timers);
    this.#deletion = new SettledDeletion(options, this.#statements, this.#settled);
  }

  async put(key: JobKey, request: JobRequest, conditions: { onlyCreate: boolean; ifMatch?: IfMatch }) {
    const put = (named: NamedJob) => ({ op: 'put', named, request, ...conditions }) as const;
    const { answer, number } = await this.#enqueue(key, put);
    if (answer.result !== 'stored') throw unexpected();
    return { created: answer.created, row: answer.row, number };
  }

  async putAll(puts: readonly { readonly key: JobKey; readonly request: JobRequest }[]) {
    if (this.#stopping) return puts.map(() => stopping());
    const outcomes = this.#queue.addBulk(
      puts.map(({ key, request }) => ({
        op: 'put',
        named: nameJob(key),
        request,
        onlyCreate: false,
      })),
    );
    this.#pump();
    return (await outcomes).map((outcome) => {
      if (outcome instanceof DalgaError) return outcome;
      if (outcome.answer.result !== 'stored') return unexpected();
      return outcome.answer.created ? 'created' : 'stored';
    });
  }

  async changeAll(jobs: readonly NamedJob[], change: JobRequest | null, when: (row: JobRow) => boolean) {
    if (this.#stopping) return jobs.map(() => stopping());
    const outcomes = this.#queue.addBulk(
      jobs.map(({ hash, routingKey, job }) => {
        const named = { hash, routingKey, job };
        return change === null ? { op: 'delete', named, when } : { op: 'post', named, request: change, when };
      }),
    );
    this.#pump();
    return (await outcomes).map((outcome) => {
      if (outcome instanceof DalgaError) return outcome;
      return { there: outcome.answer.result !== 'absent', number: outcome.number };
    });
  }

  async post(key: JobKey, request: JobRequest, ifMatch: IfMatch = null) {
    const { answer, number } = await this.#enqueue(key, (named) => ({ op: 'post', named, request, ifMatch }));
    return answer.result === 'stored' ? { row: answer.row, number } : null;
  }

  async delete(key: JobKey, ifMatch: IfMatch = null): Promise<number | null> {
    const { answer, number } = await this.#enqueue(key, (named) => ({ op: 'delete', named, ifMatch }));
    return answer.result === 'deleted' ? number : null;
  }

  async open(key: JobKey, past: { readonly from: number; readonly to: number } | null): Promise<Span | null> {
    const { answer } = await this.#enqueue(key, (named) =>
      past === null ? { op: 'run', named } : { op: 'backfill', named, ...past },
    );
    return answer.result === 'opened' ? answer.span : null;
  }

  async end(span: number): Promise<number | null> {
    const { answer, number } = await this.#request({ op: 'end', span });
    return answer.result === 'ended' ? number : null;
  }

  settled(jobs: readonly SettledJob[]): void {
    if (jobs.length === 0) return;
    this.#settled.add(jobs, this.#options.clock.monotonic());
    this.#awaitSettled();
  }

  isSettled(id: number, version: number): boolean {
    return this.#settled.has(id, version);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#timers.clear(this.#settledTimer);
    while (this.#pumping !== null) await this.#pumping;
    this.#queue.close();
  }

  #enqueue(key: JobKey, make: (named: NamedJob) => Waiting['request']) {
    return this.#request(make(nameJob(key)));
  }

  #request(request: Waiting['request']) {
    if (this.#stopping) return Promise.reject(stopping());
    const answered = this.#queue.add(request);
    this.#pump();
    return answered;
  }

  #pump(): void {
    // Begun a microtask later, so that what one event of the loop brings is one batch.
    this.#pumping ??= Promise.resolve()
      .then(() => this.#drain())
      .catch((error: unknown) => this.#options.log.error({ err: error }, 'the write coalescer failed'))
      .finally(() => {
        this.#pumping = null;
        if (this.#queue.size > 0) this.#pump();
        else this.#awaitSettled();
      });
  }

  async #drain(): Promise<void> {
    for (;;) {
      const requests = this.#queue.size > 0;
      const settled = !this.#stopping && this.#deletion.dueAt <= this.#options.clock.monotonic();
      // What clients wait for goes first; settled jobs come between two batches of it.
      if (requests) await this.#commitRequests();
      if (settled) await this.#deletion.run();
      if (!requests && !settled) return;
    }
  }

  async #commitRequests(): Promise<void> {
    const { session, gate, clock } = this.#options;
    let batch: readonly Waiting[] | null = null;
    let stamp = 0;
    let plan: BatchPlan | null = null;
    let began = 0;
    let areNew = false;
    let answered = false;
    const body = async (transaction: Transaction) => {
      // The batch closes only now that it is its turn, and its stamp is given before it writes anything. When the
      // transaction is run again, batch and stamp stay.
      if (batch === null) {
        batch = this.#queue.take();
        stamp = gate.open(clock.now());
      }
      began = clock.monotonic();
      const requests = batch.map(({ request }) => request);
      areNew = this.#newJobs.expectedIn(requests);
      plan = await this.#plan(requests, areNew, stamp, transaction);
      if (areNew && plan.answers.some(({ result }) => result === 'refused')) {
        // Of a job that is there it may not hold, and what is not written meets no key.
        areNew = false;
        plan = await this.#plan(requests, areNew, stamp, transaction);
      }
      return this.#write(plan, areNew, stamp);
    };
    const commit = () =>
      session.transaction(body, () => {
        answered = true;
        this.#queue.refuse(batch ?? [], outcomeUnknown());
      });
    try {
      await commit().catch((error: unknown) => {
        if (!areNew || answered || !isDuplicateKey(error)) throw error;
        this.#newJobs.wrong();
        return commit();
      });
    } catch (error) {
      if (batch !== null) this.#queue.learn(clock.monotonic() - began, false);
      this.#failed(answered ? [] : batch, stamp, error);
      return;
    }
    this.#queue.learn(clock.monotonic() - began, true);
    try {
      this.#apply(batch ?? [], plan!, stamp);
    } catch (error) {
      // It is stored, and its stamp stays open: the next start finds it.
      this.#options.log.error({ err: error }, 'a committed batch could not be handed to the scheduler');
      this.#queue.refuse(batch ?? [], outcomeUnknown());
    }
  }

  /** @param areNew the jobs are taken for new, and not looked for */
  async #plan(
    requests: readonly WriteRequest[],
    areNew: boolean,
    stamp: number,
    transaction: Transaction,
  ): Promise<BatchPlan> {
    const named = new Map<string, NamedJob>();
    let spans: ReadonlySet<number> | undefined;
    for (const request of requests) {
      if (request.op !== 'end' && !areNew) named.set(keyText(request.named.hash), request.named);
      if (isOfSpans(request)) spans ??= await this.#openSpans(transaction);
    }
    const stored = new Map<string, JobRow>();
    if (named.size > 0) {
      for (const row of await this.#find(
        [...named.values()].map(({ hash }) => hash),
        transaction,
      )) {
        const text = keyText(row.at(-1) as Buffer);
        stored.set(text, decodeScheduleRow(row, named.get(text)!));
      }
      this.#newJobs.looked(requests, stored.size);
    }
    return planBatch(requests, {
      stored,
      stamp,
      nextId: transaction.state.nextId,
      ...(spans && { spans }),
      isSettled: (id, version) => this.#settled.has(id, version),
      admit: this.#options.admit,
      heard: this.#options.events?.heard ?? false,
    });
  }

  async #openSpans({ run }: Transaction): Promise<ReadonlySet<number>> {
    const { rows } = await run(this.#spanStatements.open());
    return new Set(rows.map(([id]) => Number(id)));
  }

  /** The stored rows; a batch of many large ones is split, as one that MySQL refuses. */
  async #find(hashes: readonly Uint8Array[], transaction: Transaction): Promise<readonly unknown[][]> {
    const { rows } = await transaction.run(this.#statements.findLean(hashes));
    const sizes = rows.map((row) => row[PAYLOAD_COLUMN] as number | null);
    const total = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
    if (total > BATCH_BYTES && hashes.length > 1) throw new BatchTooLarge();
    const ids = rows.filter((_, index) => sizes[index] !== null).map(([id]) => id as number);
    if (ids.length === 0) return rows as unknown[][];
    const found = await transaction.run(this.#statements.payloads(ids));
    const payloads = new Map(found.rows.map(([id, payload]) => [id, payload]));
    return rows.map((row) => row.with(PAYLOAD_COLUMN, payloads.get(row[0]) ?? null));
  }

  #write(plan: BatchPlan, areNew: boolean, stamp: number): Decision<void> {
    if (plan.changes.length === 0) return { write: false, value: undefined };
    const statements: Statement[] = [];
    // First, since a job may come back under a new id, and its key is unique.
    if (plan.removals.length > 0) statements.push(this.#statements.remove(plan.removals));
    if (plan.upserts.length > 0) {
      statements.push(this.#statements[areNew ? 'insert' : 'upsert'](plan.upserts));
    }
    if (plan.spans.length > 0) statements.push(this.#spanStatements.insert(plan.spans));
    if (plan.endedSpans.length > 0) statements.push(this.#spanStatements.remove(plan.endedSpans));
    return { write: true, stamp, nextId: plan.nextId, statements, value: undefined };
  }

  #apply(batch: readonly Waiting[], { changes, answers, events, added }: BatchPlan, stamp: number): void {
    const { gate, post } = this.#options;
    let number = 0;
    if (changes.length === 0) {
      gate.rolledBack(stamp);
    } else {
      number = post(changes, answers.some(waitsForScheduler), added);
      gate.committed(stamp, number);
    }
    this.#options.onBatch?.(batch.length);
    for (const [index, waiting] of batch.entries()) this.#answer(waiting, answers[index]!, number);
    if (events.length > 0) this.#options.events?.changed(events);
  }

  #answer(waiting: Waiting, answer: WriteAnswer, number: number): void {
    if (answer.result !== 'refused') {
      waiting.resolve({ answer, number });
    } else if (answer.error instanceof DalgaError) {
      waiting.reject(answer.error);
    } else {
      this.#options.log.error({ err: answer.error }, 'a request could not be planned');
      waiting.reject(
        new DalgaError('internal', 'the request could not be carried out', { cause: answer.error }),
      );
    }
  }

  #failed(batch: readonly Waiting[] | null, stamp: number, error: unknown): void {
    const { gate, log } = this.#options;
    if (batch === null) {
      // It never had its turn. While MySQL is away the requests stay queued, and are refused when they have waited
      // too long; anything else would only happen again.
      if (!isUnavailable(error)) this.#queue.refuseAll(refusal(error));
      return;
    }
    if (isUncertain(error)) {
      // The stamp stays open: the batch may have committed.
      this.#queue.refuse(batch, outcomeUnknown());
      return;
    }
    gate.rolledBack(stamp);
    // Who holds a lock keeps it from a smaller batch too.
    if (isUnavailable(error) && !isRetryable(error.cause)) {
      this.#queue.putBack(batch, error);
      return;
    }
    const own = !(error instanceof Fenced) && !(error instanceof DalgaError) && !isServerWide(error);
    if (own && batch.length > 1) {
      // One of them is at fault: the halves go alone, and so on, until it is found.
      this.#queue.split(batch);
      return;
    }
    if (own) log.error({ err: error }, 'a request was refused by MySQL');
    this.#queue.refuse(batch, refusal(error));
  }

  /** Wakes the pump when settled jobs are to be deleted. */
  #awaitSettled(): void {
    const due = this.#deletion.dueAt;
    if (due === Number.POSITIVE_INFINITY || this.#settledTimer !== null || this.#stopping) return;
    this.#settledTimer = this.#timers.set(() => {
      this.#settledTimer = null;
      this.#pump();
    }, due - this.#options.clock.monotonic());
  }
}

function isOfSpans({ op }: Waiting['request']): boolean {
  return op === 'run' || op === 'backfill' || op === 'end';
}

/** Whether the scheduler's acknowledgement is waited for: later only what a publisher already had can arrive. */
function waitsForScheduler(answer: WriteAnswer): boolean {
  if (answer.result === 'stored') return !answer.row.enabled;
  return answer.result === 'deleted' || answer.result === 'ended';
}
