import type { Clock } from '../clock.ts';
import { type Exceptions, encodeExceptions } from '../job/exceptions.ts';
import type { CatchUp } from './catch-up.ts';
import { computeFrontier, type Frontier } from './frontier.ts';
import type { Lapses } from './lapses.ts';
import type { Occurrences } from './occurrences.ts';

/** The part of a report that a checkpoint is made of. */
export type Checkpointed = {
  readonly acknowledged: number;
  readonly frontier: number | null;
  readonly exceptions: Uint8Array;
  /** How many had settled by then. */
  readonly settledCount: number;
  /** Whether it tells of all that is unsettled: listed, or of a paced catch-up. */
  readonly complete: boolean;
};

/** A frontier is used again for so many times as long as it took, or another would take where that is less. */
const REUSE = 20;
/** Fewer than these cost no more than none: then each report has a frontier of its own. */
const FEW = 1000;

export type ProgressReportOptions = {
  /** The most entries that a list of exceptions has. */
  readonly limit: number;
  /** ms for which the frontier of many is used again: no checkpoint is made of one between. 0 unless told. */
  readonly reuseFor?: number | undefined;
  readonly catchUp: CatchUp;
  /** Null where catch-ups are not paced. */
  readonly lapses?: Lapses | null;
};

const NOTHING = new Uint8Array(0);

/** Makes the reports of the progress. */
export class ProgressReport {
  readonly #occurrences: Occurrences;
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #reuseFor: number;
  readonly #catchUp: CatchUp;
  readonly #lapses: Lapses | null;
  /** Unix ms: after a step back the clock says less than what has run already. */
  #highestNow = 0;
  /** When the last one was begun and done, monotonic ms. */
  #beganAt = Number.NEGATIVE_INFINITY;
  #endedAt = Number.NEGATIVE_INFINITY;
  /** What it took, and that for each that was unsettled, ms. */
  #lastCost = 0;
  #costOfEach = 0;
  #last: Checkpointed | null = null;

  constructor(occurrences: Occurrences, clock: Clock, options: ProgressReportOptions) {
    this.#occurrences = occurrences;
    this.#clock = clock;
    this.#limit = options.limit;
    this.#reuseFor = options.reuseFor ?? 0;
    this.#catchUp = options.catchUp;
    this.#lapses = options.lapses ?? null;
  }

  /**
   * @param applied the last batch of changes that was taken in
   * @param loading the durable checkpoint then says more than the scheduler can
   * @param fresh of this moment, however long that takes
   */
  read(applied: number, { loading = false, fresh = false }): Checkpointed {
    const { settledCount, unsettledCount } = this.#occurrences;
    if (loading) {
      return { acknowledged: applied, frontier: null, exceptions: NOTHING, settledCount, complete: false };
    }
    const began = this.#clock.monotonic();
    // An earlier report holds as a whole, with the changes that it knew: it says less, and nothing wrong.
    if (!fresh && this.#last !== null && this.#holds(began, unsettledCount)) return this.#last;
    this.#highestNow = Math.max(this.#highestNow, this.#occurrences.latestTurn, this.#clock.now());
    const frontier = computeFrontier(this.#occurrences, this.#highestNow, this.#limit);
    const { caughtUp, paced } = this.#tell(frontier);
    const exceptions = encodeExceptions({ ...frontier, caughtUp, paced });
    // Of jobs of which each missed time runs it is not told which have run since the watermark.
    const isTold = paced !== null && this.#occurrences.arena.runningEach === 0;
    const complete = frontier.complete && (this.#occurrences.missed.size === 0 || isTold);
    this.#last = { acknowledged: applied, frontier: frontier.time, exceptions, settledCount, complete };
    this.#beganAt = began;
    this.#endedAt = this.#clock.monotonic();
    this.#lastCost = this.#endedAt - began;
    this.#costOfEach = this.#lastCost / Math.max(unsettledCount, FEW);
    return this.#last;
  }

  /** Whether the last one is used again. @param monotonic ms */
  #holds(monotonic: number, unsettledCount: number): boolean {
    // One of few that took long, as when others had the core, says nothing of what many take.
    const cost = Math.min(this.#costOfEach * unsettledCount, this.#lastCost);
    if (monotonic < this.#endedAt + cost * REUSE) return true;
    return unsettledCount >= FEW && monotonic < this.#beganAt + this.#reuseFor;
  }

  /** Of the last one that was made. */
  get isComplete(): boolean {
    return this.#last?.complete ?? false;
  }

  /** How far a catch-up has come, paced or not. */
  #tell({ time, complete }: Frontier): Pick<Exceptions, 'caughtUp' | 'paced'> {
    const { queue, missed, turns } = this.#occurrences;
    if (this.#lapses === null) {
      if (this.#catchUp.note(queue.firstTime, this.#highestNow, turns)) this.#occurrences.forgetTurns();
      return { caughtUp: this.#catchUp.read(time), paced: null };
    }
    const through = Math.min(Math.floor(this.#highestNow) + 1, queue.firstTime);
    if (missed.size === 0 && queue.firstTime > this.#clock.now()) this.#lapses.end();
    // What is neither listed nor in a queue is told by the watermark alone.
    return { caughtUp: null, paced: complete ? this.#lapses.read(missed.firstTime, through) : null };
  }
}
