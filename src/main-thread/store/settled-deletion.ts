import type { Clock } from '../../clock.ts';
import { IDS_PER_STATEMENT, type JobStatements } from '../../database/statements.ts';
import type { SettledJob } from '../../job/job.ts';
import type { JobChange } from '../../protocol/main-scheduler.ts';
import { isTold, isUncertain, type OwnerSession, type StoreLog, type Transaction } from './owner-session.ts';
import type { SettledJobs } from './settled-jobs.ts';
import type { StampGate } from './watermark-gate.ts';

export type SettledDeletionOptions = {
  readonly session: OwnerSession;
  readonly gate: StampGate;
  readonly clock: Clock;
  readonly log: StoreLog;
  readonly post: (changes: readonly JobChange[], reply: boolean, added: number) => number;
};

/** Settled jobs wait this long for more of them, ms. */
const DELAY = 100;
const LARGEST_BATCH = 1_000;

/** After a failure, ms. */
const RETRY = 1_000;

/** Deletes the settled one-off jobs, many in a transaction, always by id and version. */
export class SettledDeletion {
  readonly #options: SettledDeletionOptions;
  readonly #statements: JobStatements;
  readonly #jobs: SettledJobs;
  /** Monotonic ms. */
  #notBefore = 0;

  constructor(options: SettledDeletionOptions, statements: JobStatements, jobs: SettledJobs) {
    this.#options = options;
    this.#statements = statements;
    this.#jobs = jobs;
  }

  /** Monotonic ms when the next deletion is to be made; Infinity when there is nothing to delete. */
  get dueAt(): number {
    if (this.#jobs.size === 0) return Number.POSITIVE_INFINITY;
    const due = this.#jobs.size >= LARGEST_BATCH ? 0 : this.#jobs.since + DELAY;
    return Math.max(due, this.#notBefore);
  }

  /** Never rejects: what could not be deleted is tried again later. */
  async run(): Promise<void> {
    const { session, gate, clock, post, log } = this.#options;
    const jobs = this.#jobs.take(LARGEST_BATCH, clock.monotonic());
    let stamp: number | null = null;
    let gone: ReadonlySet<SettledJob>;
    try {
      gone = await session.transaction(async (transaction) => {
        stamp ??= gate.open(clock.now());
        const value = await this.#deleteUnchanged(jobs, transaction);
        return { write: true, stamp, nextId: transaction.state.nextId, value };
      });
    } catch (error) {
      if (stamp !== null && !isUncertain(error)) gate.rolledBack(stamp);
      // They are settled all the same, and a deletion can be repeated.
      this.#jobs.return(jobs);
      this.#notBefore = clock.monotonic() + RETRY;
      if (!isTold(error)) log.error({ err: error }, 'settled jobs could not be deleted yet');
      return;
    }
    this.#note(jobs, gone);
    const changes = [...gone].map(({ id }) => ({ op: 'remove', id }) as const);
    if (changes.length > 0) gate.committed(stamp!, post(changes, false, 0));
    else gate.rolledBack(stamp!);
  }

  /** Deletes those that still have their version, and returns those that are gone. */
  async #deleteUnchanged(
    jobs: readonly SettledJob[],
    transaction: Transaction,
  ): Promise<ReadonlySet<SettledJob>> {
    let affected = 0;
    for (const chunk of chunks(jobs, IDS_PER_STATEMENT)) {
      affected += (await transaction.run(this.#statements.removeSettled(chunk))).affectedRows;
    }
    if (affected === jobs.length) return new Set(jobs);
    const left = new Set<unknown>();
    for (const chunk of chunks(jobs, IDS_PER_STATEMENT)) {
      const { rows } = await transaction.run(this.#statements.existing(chunk.map(({ id }) => id)));
      for (const [id] of rows) left.add(id);
    }
    return new Set(jobs.filter(({ id }) => !left.has(id)));
  }

  #note(jobs: readonly SettledJob[], gone: ReadonlySet<SettledJob>): void {
    for (const job of jobs) if (!gone.has(job)) this.#jobs.forget(job);
    this.#jobs.deleted([...gone], this.#options.clock.monotonic());
  }
}

function* chunks<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
