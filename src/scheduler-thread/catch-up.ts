import type { CaughtUp } from '../job/caught-up.ts';

/** A delay in the queue that is no catch-up yet, ms. */
const BEHIND = 50;
/** With so many steps, an even number, neighbours are made one, and the steps to come are twice as long. */
const STEPS = 128;

/** The turns that jobs took: times in Unix ms. */
export type Turns = {
  /** The clock at the first of them; Infinity when there were none. */
  earliestClock: number;
  /** The latest time in the queue that was taken. */
  highestTime: number;
};

/**
 * Follows a catch-up, so that a crash in it repeats little more than one in daily work: what a checkpoint says of it
 * beside the watermark, which waits for the earliest time that is not taken (see job/caught-up.ts).
 *
 * When nothing is due every job waits for its first time from then on: a catch-up is told from there. The queue then
 * goes from one time to the next, and whatever it has passed was taken when the clock said `earliestClock` at least.
 */
export class CatchUp {
  /** Null where it cannot be told, until nothing is due any more. */
  #origin: number | null;
  #untils: number[];
  #throughs: number[];
  /** How many notes make a step, and how many the last one has. */
  #stride = 1;
  #notes = 1;
  #isBehind = false;
  readonly #watermark: number;
  /** No job that was loaded waits for a time because of a later one, Unix ms. */
  readonly #armedFrom: number;
  /** How far the last owner had come in one that it did not end; null for none. */
  readonly durable: CaughtUp | null;

  /**
   * @param durable how far the last owner had come
   * @param watermark the durable one at the start, Unix ms
   */
  constructor(durable: CaughtUp | null, watermark: number) {
    // One that the watermark has left behind tells nothing; before its origin the watermark may be that of a change.
    const isTold =
      durable !== null && durable.origin < watermark && watermark <= (durable.untils.at(-1) ?? 0);
    this.durable = isTold ? durable : null;
    const { origin, untils, throughs } = this.durable ?? { origin: watermark, untils: [], throughs: [] };
    this.#origin = origin;
    this.#untils = [...untils];
    this.#throughs = [...throughs];
    this.#watermark = watermark;
    this.#armedFrom = Math.max(watermark, this.durable?.throughs.at(-1) ?? 0);
  }

  /**
   * A change has planned a job anew. From before the point that the catch-up is told from it may be anywhere.
   *
   * @param since the job's, Unix ms
   */
  changed(since: number): void {
    if (this.#origin !== null && since >= this.#watermark && since <= this.#origin) this.#begin(null);
  }

  /**
   * Takes in how far the queue has come. Times in Unix ms.
   *
   * @param firstQueued the earliest time that is not taken
   * @param turns those since this one last said that they are done with
   * @returns whether they are done with
   */
  note(firstQueued: number, now: number, { earliestClock, highestTime }: Turns): boolean {
    this.#isBehind = firstQueued <= now - BEHIND;
    if (firstQueued > now) {
      // Until then, which is after a step back of the clock, some wait for later times than others: what is told goes on.
      if (now + 1 >= this.#armedFrom) this.#begin(Math.floor(now) + 1);
      return true;
    }
    if (this.#origin === null || firstQueued <= (this.#untils.at(-1) ?? this.#origin)) return false;
    if (earliestClock === Number.POSITIVE_INFINITY) {
      // What was between is gone.
      if (this.#untils.length > 0) this.#untils[this.#untils.length - 1] = firstQueued;
      return false;
    }
    // What a turn took was all that was due by then.
    const through = Math.floor(earliestClock) + 1;
    if (through < this.#origin) {
      this.#begin(null);
      return false;
    }
    this.#step(firstQueued, through);
    // Where later times were taken before earlier ones (while the table loaded, say) they count for the steps to come.
    return firstQueued > highestTime;
  }

  /** What went before cannot be told by this: a new one begins when nothing is due. */
  lose(): void {
    this.#begin(null);
  }

  /** As it is true beside this frontier (Unix ms): the list of exceptions may leave out what stands for later times. */
  read(frontier: number): CaughtUp | null {
    if (this.#origin === null || !this.#isBehind) return null;
    const untils: number[] = [];
    const throughs: number[] = [];
    for (const [index, until] of this.#untils.entries()) {
      const before = untils.at(-1) ?? this.#origin;
      if (frontier <= before) break;
      untils.push(Math.min(until, frontier));
      throughs.push(this.#throughs[index]!);
    }
    return untils.length === 0 ? null : { origin: this.#origin, untils, throughs };
  }

  #begin(origin: number | null): void {
    this.#origin = origin;
    this.#untils = [];
    this.#throughs = [];
    this.#stride = 1;
  }

  #step(until: number, through: number): void {
    // After a step back of the clock the steps before say no more than this one.
    while (this.#throughs.length > 0 && this.#throughs.at(-1)! >= through) {
      this.#throughs.pop();
      this.#untils.pop();
    }
    if (this.#untils.length > 0 && this.#notes < this.#stride) {
      this.#notes++;
      this.#untils[this.#untils.length - 1] = until;
      return;
    }
    this.#notes = 1;
    this.#untils.push(until);
    this.#throughs.push(through);
    if (this.#untils.length < STEPS) return;
    // Two steps as one, through which only that is settled which is so through both.
    this.#stride *= 2;
    this.#notes = this.#stride;
    this.#untils = this.#untils.filter((_, index) => index % 2 === 1);
    this.#throughs = this.#throughs.filter((_, index) => index % 2 === 0);
  }
}
