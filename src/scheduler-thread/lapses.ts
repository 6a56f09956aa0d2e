import type { Lapse, PacedCatchUp } from '../job/paced-catch-up.ts';

/** More than these are not told: a crash then repeats what has run since the first. */
const MOST_LAPSES = 100;

export type LapsesOptions = {
  /** ms */
  readonly misfireAfter: number;
  /** How far the last owner had come; null for none. */
  readonly durable: PacedCatchUp | null;
  /** From where on the jobs were armed, Unix ms; null where that cannot be told for all in one. */
  readonly from: number | null;
  /** The clock at the start, Unix ms. */
  readonly now: number;
};

/**
 * Says which next times were missed, so that they wait for DALGA_CATCHUP_RATE, and keeps what is needed to tell
 * after a crash which jobs those are (see job/paced-catch-up.ts).
 *
 * All that is due when a lapse begins is judged by the clock of that moment, however long that takes: so what became of a
 * job follows from its row. The start is the first lapse. A further one begins when a job that comes to its turn missed its
 * time; all is forgotten when nothing waits and nothing is due.
 */
export class Lapses {
  readonly #misfireAfter: number;
  /** Null where they cannot be told, until nothing waits any more. */
  #lapses: Lapse[] | null;
  /** Of the last one, Unix ms. */
  #clock: number;
  #waitsFrom: number;
  /** The latest time of it that was missed and is listed. */
  #listedUntil = Number.NEGATIVE_INFINITY;
  /** The highest `since` of a row that came in, Unix ms. */
  #known = 0;

  constructor({ misfireAfter, durable, from, now }: LapsesOptions) {
    this.#misfireAfter = misfireAfter;
    this.#clock = Math.floor(now);
    const missedFrom = durable?.missedFrom ?? Number.POSITIVE_INFINITY;
    const first = durable?.through ?? from;
    // By another rule than before, or a clock that stepped back, something else would follow from a row.
    const goesOn = durable === null || (durable.misfireAfter === misfireAfter && now >= durable.through - 1);
    const isTold = first !== null && goesOn;
    // Rows come in no order of their times: all that missed theirs wait, until they are known to fit into the list.
    this.#waitsFrom = first ?? Number.NEGATIVE_INFINITY;
    const lapse = { from: first ?? 0, clock: this.#clock, missedFrom, waitsFrom: this.#waitsFrom };
    this.#lapses = isTold ? [...(durable?.lapses ?? []), lapse] : null;
    this.#trim();
  }

  /** A row came in. @param since its own, Unix ms */
  knows(since: number): void {
    if (since > this.#known) this.#known = since;
  }

  /**
   * The clock by which a next time is judged that has come, Unix ms; null when it is on time whatever the clock says.
   *
   * @param now Unix ms
   * @param loading rows come in no order of their times: no lapse begins
   */
  clockFor(time: number, now: number, loading: boolean): number | null {
    if (time > this.#clock) return loading ? null : Math.floor(now);
    let clock = this.#clock;
    const lapses = this.#lapses ?? [];
    for (let index = lapses.length - 1; index >= 0 && time <= lapses[index]!.clock; index--) {
      clock = lapses[index]!.clock;
      // A change that came late: between two lapses nothing waits.
      if (time < lapses[index]!.from && index > 0 && time > lapses[index - 1]!.clock) return null;
    }
    return Math.min(clock, Math.floor(now));
  }

  /** Turns are to be taken at this clock (Unix ms): after a step back what was called missed may be to come. */
  noteClock(now: number): void {
    if (Math.floor(now) < this.#clock) this.#lapses = null;
  }

  /**
   * A next time after the last lapse was missed: another one begins.
   *
   * @param time Unix ms: every job's next time is at or after it
   * @param clock Unix ms
   * @param missedFrom the first missed time of the jobs that wait, Unix ms
   * @param latestTurn the latest clock at which a turn was taken, Unix ms
   */
  begin(time: number, clock: number, missedFrom: number, latestTurn: number): void {
    if (time <= this.#clock) return;
    // Some may have taken turns that this one's time was before.
    if (time <= latestTurn) this.#lapses = null;
    this.#clock = clock;
    this.#waitsFrom = missedFrom === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : time;
    this.#listedUntil = Number.NEGATIVE_INFINITY;
    this.#lapses?.push({ from: time, clock, missedFrom, waitsFrom: this.#waitsFrom });
    this.#trim();
  }

  /**
   * Whether the job that missed this time (Unix ms) waits, and is not listed. In a lapse those are listed that come first.
   *
   * @param full the list has no place for it
   */
  waits(time: number, full: boolean): boolean {
    if (time >= this.#waitsFrom) return true;
    if (!full || time <= this.#listedUntil) {
      this.#listedUntil = Math.max(time, this.#listedUntil);
      return false;
    }
    this.#waitsFrom = time;
    const last = this.#lapses?.pop();
    if (last !== undefined) this.#lapses?.push({ ...last, waitsFrom: time });
    return true;
  }

  /**
   * A change has planned a job anew.
   *
   * @param first its first time since then, Unix ms
   * @param next the one that it waits for, which is later where it has run
   */
  changed(first: number, next: number): void {
    const last = this.#lapses?.at(-1);
    if (last === undefined) return;
    if (next < last.from || (next !== first && first <= last.clock)) this.#lapses = null;
  }

  /** What went before cannot be told of every job. */
  lose(): void {
    this.#lapses = null;
  }

  /** Nothing waits, and nothing is due. */
  end(): void {
    this.#lapses = [];
    this.#clock = Number.NEGATIVE_INFINITY;
  }

  /** @param missedFrom the first missed time of the jobs that wait @param through before every next time, Unix ms */
  read(missedFrom: number, through: number): PacedCatchUp | null {
    if (this.#lapses === null || this.#lapses.length === 0) return null;
    if (missedFrom === Number.POSITIVE_INFINITY) return null;
    return {
      ...{ misfireAfter: this.#misfireAfter, known: this.#known, lapses: [...this.#lapses] },
      ...{ missedFrom, through },
    };
  }

  #trim(): void {
    if (this.#lapses !== null && this.#lapses.length > MOST_LAPSES) this.#lapses = null;
  }
}
