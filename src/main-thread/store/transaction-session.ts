import type { Timers } from '../../clock.ts';
import type { MysqlConfig } from '../../config.ts';
import type { Connect, SqlSession } from '../../database/session.ts';
import { progressStatements, type SpanStatements, spanStatements } from '../../database/span-statements.ts';
import { isLost, isRetryable, isServerWide, SequenceFailed } from '../../database/sql-errors.ts';
import { type StateStatements, stateStatements } from '../../database/state-statements.ts';
import { type Statement, transaction as sql } from '../../database/statements.ts';
import { DalgaError } from '../../errors.ts';
import { LeaseTrust, type LeaseTrustOptions } from './lease-trust.ts';
import { OwnerConnection } from './owner-connection.ts';
import {
  type CheckpointSource,
  type Decision,
  Fenced,
  isTold,
  type OwnerSession,
  type ProgressWrite,
  type StoreLog,
  type Transaction,
} from './owner-session.ts';
import { Refusals, type RefusalsOptions } from './refusals.ts';
import { SerialQueue } from './serial-queue.ts';
import type { CheckpointWrite } from './watermark-gate.ts';

export type TransactionSessionOptions = LeaseTrustOptions &
  RefusalsOptions & {
    readonly mysql: MysqlConfig;
    /** The instance's id and the epoch of its takeover: the fence. */
    readonly owner: string;
    readonly epoch: number;
    /** The session that took the table over. */
    readonly session: SqlSession;
    readonly connect: Connect;
    readonly timers: Timers;
    readonly log: StoreLog;
    readonly onFenced: () => void;
    readonly onConnection: (reason: string | null) => void;
    /** How long a transaction is tried again, and a connection is waited for, ms. */
    readonly patience?: number;
    /** After this long without knowing what became of a COMMIT the requests are told so, ms. */
    readonly outcomeDeadline?: number;
    readonly random?: () => number;
  };

const PATIENCE = 1_500;
const OUTCOME_DEADLINE = 5_000;

/** What the last transaction that began before a release's deadline may take beyond it, ms. */
const CLOSE_GRACE = 300;

/** The pauses before a transaction is run again, ms. */
const FIRST_PAUSE = 5;
const LONGEST_PAUSE = 200;

/**
 * Every write of the owner, one transaction after another on one connection:
 *
 *   START TRANSACTION
 *   SELECT ... FOR UPDATE of the state row       the fence: epoch and owner must be ours
 *
 *   what the body runs
 *
 *   what the body leaves to be written
 *   UPDATE of spans                              with the checkpoint: how far they have come
 *   UPDATE of the state row                      number, stamp, next_id, checkpoint; renews the lease
 *   COMMIT
 *
 * The first block and the last are one round trip each.
 *
 * What can go wrong, and where it leads:
 *
 *   deadlock, lock timeout, or a connection lost before the last round trip: it cannot have committed -> run again
 *   a statement's own error                                                     -> ROLLBACK, told to the caller
 *   any error of COMMIT, or a session that ends in the last round trip: unknown -> a new session KILLs the old one,
 *     locks the state row, and reads the number:
 *     ours: it committed; lower: it was rolled back -> run again, unless the server had refused the statements as a
 *     whole, which is told to the caller; another epoch: fenced
 *
 * Nothing else is written until the outcome is known.
 */
export class TransactionSession implements OwnerSession {
  readonly #options: TransactionSessionOptions;
  readonly #connection: OwnerConnection;
  readonly #statements: StateStatements;
  readonly #spanStatements: SpanStatements;
  readonly #trust: LeaseTrust;
  readonly #refusals: Refusals;
  readonly #serial = new SerialQueue();
  readonly #patience: number;
  #source: CheckpointSource | null = null;
  #fenced = false;
  #closed = false;
  #renewTimer: unknown;

  constructor(options: TransactionSessionOptions) {
    this.#options = options;
    this.#statements = stateStatements(options.mysql.table);
    this.#spanStatements = spanStatements(options.mysql.table);
    this.#trust = new LeaseTrust(options);
    this.#refusals = new Refusals(options);
    this.#patience = options.patience ?? PATIENCE;
    this.#connection = new OwnerConnection({ ...options, random: options.random ?? Math.random });
    this.#scheduleRenewal();
  }

  attach(source: CheckpointSource): void {
    this.#source = source;
  }

  transaction<T>(
    body: (transaction: Transaction) => Promise<Decision<T>>,
    onUncertain: () => void = () => {},
  ): Promise<T> {
    return this.#serial.run(() => this.#attempts({ body, onUncertain, toldUncertain: false }));
  }

  async release(last: (() => ProgressWrite) | null, deadline?: number): Promise<void> {
    const { clock, timers } = this.#options;
    timers.clear(this.#renewTimer);
    const until = deadline ?? clock.monotonic() + this.#patience;
    const release = { last: () => last?.() ?? NO_PROGRESS };
    let timer: unknown;
    // A transaction before it may try to find out for ever what became of its COMMIT: this ends that too.
    const late = new Promise<never>((_resolve, reject) => {
      const giveUp = () => {
        this.#closed = true;
        this.#connection.destroy();
        reject(new DalgaError('database_unavailable', 'MySQL was not back in time'));
      };
      timer = timers.set(giveUp, until + CLOSE_GRACE - clock.monotonic());
    });
    const work = { body: nothingToDo, onUncertain: () => {}, toldUncertain: false, release };
    try {
      await Promise.race([this.#serial.run(() => this.#attempts(work, until)), late]);
    } finally {
      timers.clear(timer);
      await this.close();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#options.timers.clear(this.#renewTimer);
    await this.#connection.close();
  }

  async #attempts<T>(work: Work<T>, until = this.#options.clock.monotonic() + this.#patience): Promise<T> {
    const { clock } = this.#options;
    for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      if (this.#fenced) throw new Fenced(false);
      if (this.#closed) throw new DalgaError('stopping', 'this instance is stopping');
      try {
        return await this.#attempt(work, until);
      } catch (error) {
        if (!isLost(error) && !isRetryable(error) && !(error instanceof RolledBack)) {
          if (isServerWide(error)) this.#refusals.refused(error);
          throw error;
        }
        // Who was told that the outcome is not known has been answered: it is not written after all.
        if (clock.monotonic() + pause >= until || work.toldUncertain) {
          if (isRetryable(error)) this.#refusals.refused(error);
          throw unavailable(error);
        }
        await this.#connection.sleep(pause);
      }
    }
  }

  async #attempt<T>(work: Work<T>, until: number): Promise<T> {
    const session = await this.#connection.session(until).catch((error: unknown) => {
      throw unavailable(error);
    });
    // Before anything was asked: a slow answer must not lengthen the trust.
    const began = this.#options.clock.monotonic();
    const progress: Progress = { taken: null, committed: false };
    try {
      const { decision, batch, writes, look } = await this.#prepare(session, work, progress);
      if (writes === null) {
        await session.run(sql.rollBack);
        return decision.value;
      }
      await this.#commit(session, work, writes, batch);
      progress.committed = true;
      this.#refusals.written();
      if (work.release === undefined) {
        this.#trust.renewed(began, look);
        this.#scheduleRenewal();
      }
      return decision.value;
    } catch (error) {
      await this.#abandon(session, error);
      throw error;
    } finally {
      if (progress.taken !== null) this.#source?.finished(progress.committed);
    }
  }

  /** All of a transaction but its last round trip. `writes` is null when there is nothing to commit. */
  async #prepare<T>(session: SqlSession, work: Work<T>, progress: Progress) {
    const { epoch, owner, lease } = this.#options;
    const state = await this.#begin(session);
    if (state.epoch !== epoch || state.owner !== owner) throw this.#fence(false);
    const look = await this.#trust.look(session, this.#statements);
    const decision = await work.body({ state, run: (statement) => session.run(statement) });
    const batch = state.batch + 1;
    if (work.release !== undefined) {
      const last = work.release.last();
      const release = this.#statements.release(epoch, { batch, checkpoint: written(last.checkpoint) });
      return { decision, batch, look, writes: [...this.#spansWritten(last), release] };
    }
    // As late as can be, so that the checkpoint is as young as can be.
    progress.taken = this.#source?.take() ?? null;
    const checkpoint = written(progress.taken?.checkpoint ?? null);
    if (!decision.write && progress.taken === null) return { decision, batch, look, writes: null };
    const { stamp, nextId } = decision.write ? decision : state;
    const writes = [
      ...((decision.write && decision.statements) || []),
      ...this.#spansWritten(progress.taken ?? NO_PROGRESS),
      this.#statements.write(epoch, { batch, stamp, nextId, lease, checkpoint }),
    ];
    return { decision, batch, look, writes };
  }

  #spansWritten({ spans }: ProgressWrite): readonly Statement[] {
    return spans === null ? [] : progressStatements(this.#spanStatements, spans);
  }

  /** Begins a transaction, and locks the state row. */
  async #begin(session: SqlSession) {
    const [, locked] = await session.runAll([sql.start, this.#statements.lock()]).catch(throwCause);
    const [epoch, owner, batch, stamp, nextId] = locked?.rows[0] ?? [];
    return {
      ...{ epoch: Number(epoch), owner, batch: Number(batch) },
      ...{ stamp: Number(stamp), nextId: Number(nextId) },
    };
  }

  /**
   * @throws a write's own error; RolledBack when the COMMIT did not happen; Fenced when that cannot be known any more
   */
  async #commit<T>(
    session: SqlSession,
    work: Work<T>,
    writes: readonly Statement[],
    batch: number,
  ): Promise<void> {
    try {
      await session.runAll([...writes, sql.commit]);
    } catch (error) {
      // The COMMIT was not come to: no write returns rows.
      if (error instanceof SequenceFailed && error.completed < writes.length) throw error.cause;
      this.#connection.lose(session, error);
      if (await this.#findOut(work, batch)) return;
      // What was refused as a whole would be again: more bytes than the server takes.
      const isRefusal = !isLost(error) && !(error instanceof SequenceFailed);
      if (isRefusal && !work.toldUncertain) throw error;
      throw new RolledBack('the transaction was rolled back');
    }
  }

  /**
   * What became of a COMMIT that was not answered. Tries for as long as it takes, since nothing may be written
   * before it is known; `onUncertain` tells the requests when that is longer than they should wait.
   */
  async #findOut<T>(work: Work<T>, batch: number): Promise<boolean> {
    const { clock, timers, epoch, outcomeDeadline = OUTCOME_DEADLINE } = this.#options;
    const timer = timers.set(() => {
      work.toldUncertain = true;
      work.onUncertain();
    }, outcomeDeadline);
    try {
      for (;;) {
        if (this.#closed)
          throw new DalgaError('outcome_unknown', 'whether the change was stored is not known');
        let session: SqlSession | null = null;
        try {
          session = await this.#connection.session(clock.monotonic() + this.#patience);
          // The old session has been told to end; until it has, its lock on the row makes this wait.
          const state = await this.#begin(session);
          await session.run(sql.rollBack);
          if (state.epoch !== epoch) throw this.#fence(true);
          return state.batch === batch;
        } catch (error) {
          if (error instanceof Fenced) throw error;
          if (session !== null) this.#connection.lose(session, error);
          await this.#connection.sleep(FIRST_PAUSE);
        }
      }
    } finally {
      timers.clear(timer);
    }
  }

  /** Ends a transaction that failed, unless its session is gone already. */
  async #abandon(session: SqlSession, error: unknown): Promise<void> {
    if (isLost(error) || !session.usable) {
      this.#connection.lose(session, error);
      return;
    }
    try {
      await session.run(sql.rollBack);
    } catch (failure) {
      // It never came to its COMMIT, so the server rolls it back when the session ends.
      this.#connection.lose(session, failure);
    }
  }

  /** When nothing else has renewed the lease for a while, a transaction of its own does. */
  #scheduleRenewal(): void {
    const { timers, lease, log } = this.#options;
    timers.clear(this.#renewTimer);
    if (this.#closed || this.#fenced) return;
    this.#renewTimer = timers.set(() => {
      this.transaction(renewOnly).catch((error: unknown) => {
        if (error instanceof Fenced || this.#closed) return;
        if (!isTold(error)) log.error({ err: error }, 'the lease could not be renewed');
        this.#scheduleRenewal();
      });
    }, lease / RENEWALS);
  }

  #fence(uncertain: boolean): Fenced {
    if (!this.#fenced) {
      this.#fenced = true;
      this.#options.timers.clear(this.#renewTimer);
      this.#options.onFenced();
    }
    return new Fenced(uncertain);
  }
}

/** Renewals in one lease: the server ends a session that is silent for half of it. */
const RENEWALS = 5;

type Work<T> = {
  readonly body: (transaction: Transaction) => Promise<Decision<T>>;
  readonly onUncertain: () => void;
  readonly release?: { readonly last: () => ProgressWrite };
  toldUncertain: boolean;
};

/** How far an attempt came. */
type Progress = { taken: ProgressWrite | null; committed: boolean };

const NO_PROGRESS: ProgressWrite = { checkpoint: null, spans: null };

/** A COMMIT was lost, and the transaction is known to have been rolled back. */
class RolledBack extends Error {}

function throwCause(error: unknown): never {
  throw error instanceof SequenceFailed ? error.cause : error;
}

async function renewOnly({ state }: Transaction): Promise<Decision<void>> {
  return { write: true, stamp: state.stamp, nextId: state.nextId, value: undefined };
}

async function nothingToDo(): Promise<Decision<void>> {
  return { write: false, value: undefined };
}

function written(checkpoint: CheckpointWrite | null) {
  if (checkpoint === null) return null;
  const { watermark, exceptions, exceptionsChanged } = checkpoint;
  return { watermark, exceptions: exceptionsChanged ? exceptions : null };
}

function unavailable(error: unknown): DalgaError {
  if (error instanceof DalgaError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new DalgaError('database_unavailable', `MySQL cannot be used now: ${reason}`, { cause: error });
}
