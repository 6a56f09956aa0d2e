import type { SqlResult } from '../../database/session.ts';
import { isServerWide } from '../../database/sql-errors.ts';
import type { Statement } from '../../database/statements.ts';
import { DalgaError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { SpansProgress } from '../../protocol/main-scheduler.ts';
import type { CheckpointWrite } from './watermark-gate.ts';

export type StoreLog = Pick<Log, 'info' | 'warn' | 'error'>;

/** Another instance owns the table now: nothing of the transaction was written, and nothing ever will be. */
export class Fenced extends Error {
  override readonly name = 'Fenced';
  /** Whether COMMIT had been sent before, so that it is not known what was written. */
  readonly uncertain: boolean;

  constructor(uncertain: boolean) {
    super('another instance owns the table');
    this.uncertain = uncertain;
  }
}

/** Whether it is not known if a transaction that failed with this error was written. */
export function isUncertain(error: unknown): boolean {
  if (error instanceof Fenced) return error.uncertain;
  return error instanceof DalgaError && error.code === 'outcome_unknown';
}

/**
 * Whether the session has told why a transaction failed, once, when MySQL went away or began to refuse: who only
 * tries again says nothing of it.
 */
export function isTold(error: unknown): boolean {
  return error instanceof Fenced || error instanceof DalgaError || isServerWide(error);
}

/** What is made durable together; each part is null where there is nothing of it to write. */
export type ProgressWrite = {
  readonly checkpoint: CheckpointWrite | null;
  readonly spans: SpansProgress | null;
};

/** The state row as the transaction's first statement locked it. */
export type LockedState = { readonly batch: number; readonly stamp: number; readonly nextId: number };

export type Transaction = {
  readonly state: LockedState;
  run(statement: Statement): Promise<SqlResult>;
};

/** What a transaction's body decided. `write: false`: it wrote nothing that would have to be committed. */
export type Decision<T> =
  | {
      readonly write: true;
      readonly stamp: number;
      readonly nextId: number;
      /** What it has not run itself, none of which returns rows: goes with the COMMIT. */
      readonly statements?: readonly Statement[];
      readonly value: T;
    }
  | { readonly write: false; readonly value: T };

/** Gives out the checkpoint that rides on a transaction. */
export type CheckpointSource = {
  /** Called just before the state row is written; null when none is due. */
  take(): ProgressWrite | null;
  /** What became of the checkpoint that was taken. */
  finished(committed: boolean): void;
};

export type OwnerSession = {
  /**
   * Runs one transaction after those that were asked for before. The body may be run more than once (after a
   * deadlock, or a connection that was lost before COMMIT was sent).
   *
   * @param onUncertain called when the outcome of a lost COMMIT could not be found out in time; the promise still
   *   settles when it was
   * @throws Fenced; DalgaError database_unavailable (nothing was written) or outcome_unknown (the session was closed
   *   while it was finding out); a statement's own error (rolled back)
   */
  transaction<T>(
    body: (transaction: Transaction) => Promise<Decision<T>>,
    onUncertain?: () => void,
  ): Promise<T>;
  /** Which checkpoints ride on the transactions from now on. */
  attach(source: CheckpointSource): void;
  /**
   * Writes the last checkpoint and the release of the lease as one transaction, and ends the session.
   *
   * @param last gives the checkpoint when it is to be written: what runs before may still change it
   * @param deadline monotonic ms: how long MySQL is waited for; a little by default
   */
  release(last: (() => ProgressWrite) | null, deadline?: number): Promise<void>;
  /** Ends the session without releasing the lease. */
  close(): Promise<void>;
};
