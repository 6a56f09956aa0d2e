import { hrtime } from 'node:process';

/**
 * Time. `now()` is the scheduler's idea of Unix time in ms; `monotonic()` counts ms from an arbitrary start,
 * the same for all threads of the process. A wall clock may jump, a monotonic one may not: every duration, and
 * how long the lease may be trusted, is judged by the monotonic one.
 */
export type Clock = {
  /** Unix time, ms (may have a fraction); goes back only when a step back was confirmed (see `SlewedClock`). */
  now(): number;
  /** Monotonic time, ms, common to all threads of this process. */
  monotonic(): number;
};

/** Timers, injected with the clock so that a simulation can drive both. Delays are in ms. */
export type Timers = {
  set(callback: () => void, delay: number): unknown;
  clear(timer: unknown): void;
};

export function monotonicNow(): number {
  const [seconds, nanoseconds] = hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** Node's timers fire at once for a delay above 2^31 - 1 ms (its documentation of setTimeout). */
export const LONGEST_TIMER = 2 ** 31 - 1;

export const systemTimers: Timers = {
  set: (callback, delay) => setTimeout(callback, Math.min(Math.max(delay, 0), LONGEST_TIMER)),
  clear: (timer) => clearTimeout(timer as NodeJS.Timeout),
};

/** Beyond this difference (ms) the wall clock is said to have stepped, and is not followed by slewing. */
export const STEP_LIMIT = 60_000;

/** A slewed clock never runs faster than 1 + this, nor slower than 1 - this. */
const SLEW_LIMIT = 0.5;

/** A difference is worked off over about this time, ms. */
const SLEW_TIME = 10_000;

/** What `discipline` did about a difference (ms: the wall clock's time minus this clock's). */
export type WallAdjustment = {
  /** `disputed`: a step that MySQL's clock has not been asked about yet. */
  readonly kind: 'slewed' | 'disputed' | 'step-refused' | 'stepped';
  readonly difference: number;
};

/** MySQL's clock (Unix ms), and the monotonic time (ms) at which this process read it. */
export type ServerReading = { readonly time: number; readonly monotonic: number };

/**
 * A clock that advances with the monotonic clock and is slewed towards the wall clock whenever `discipline` is
 * called, so that a wall clock that is set never makes an occurrence run twice or not at all.
 *
 *   in step   -> disputed   the wall clock is more than `STEP_LIMIT` away: not followed
 *   disputed  -> in step    it came back; or a reading of MySQL's clock that is younger than the step shows the
 *                           same time as the wall clock: then the step is followed, back as well as forwards
 */
export class SlewedClock implements Clock {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  #anchor: number;
  #value: number;
  #rate = 1;
  /** Monotonic ms when the wall clock was first seen to be too far away; null while it is not. */
  #disputedAt: number | null = null;

  constructor(wall: () => number = Date.now, monotonic: () => number = monotonicNow) {
    this.#wall = wall;
    this.#monotonic = monotonic;
    this.#anchor = monotonic();
    this.#value = wall();
  }

  now(): number {
    return this.#value + (this.#monotonic() - this.#anchor) * this.#rate;
  }

  monotonic(): number {
    return this.#monotonic();
  }

  /**
   * Compares with the wall clock and sets the rate at which the difference (ms) is worked off.
   *
   * @param server the last reading of MySQL's clock, null when there is none
   */
  discipline(server: ServerReading | null): WallAdjustment {
    this.#reanchor();
    const wall = this.#wall();
    const difference = wall - this.#value;
    if (Math.abs(difference) > STEP_LIMIT) {
      this.#rate = 1;
      this.#disputedAt ??= this.#anchor;
      // A reading from before the step says nothing of it.
      if (server === null || server.monotonic < this.#disputedAt) return { kind: 'disputed', difference };
      if (!this.#isConfirmed(wall, server)) return { kind: 'step-refused', difference };
      this.#disputedAt = null;
      this.#value = wall;
      return { kind: 'stepped', difference };
    }
    this.#disputedAt = null;
    this.#rate = 1 + Math.min(Math.max(difference / SLEW_TIME, -SLEW_LIMIT), SLEW_LIMIT);
    return { kind: 'slewed', difference };
  }

  /** MySQL's clock is nearer to the wall clock than to this one. */
  #isConfirmed(wall: number, server: ServerReading): boolean {
    const now = server.time + (this.#anchor - server.monotonic);
    const ofWall = Math.abs(now - wall);
    return ofWall <= STEP_LIMIT && ofWall < Math.abs(now - this.#value);
  }

  #reanchor(): void {
    const monotonic = this.#monotonic();
    this.#value += (monotonic - this.#anchor) * this.#rate;
    this.#anchor = monotonic;
  }
}

/** The clock of a thread that is told the offset by another one. It goes back by a step only. */
export class OffsetClock implements Clock {
  #offset: number;
  #last = 0;

  constructor(offset: number) {
    this.#offset = offset;
  }

  /** @param stepped the other clock was stepped: this one goes back where that one did */
  setOffset(offset: number, stepped: boolean): void {
    this.#offset = offset;
    if (stepped) this.#last = 0;
  }

  now(): number {
    this.#last = Math.max(this.#last, monotonicNow() + this.#offset);
    return this.#last;
  }

  monotonic(): number {
    return monotonicNow();
  }
}
