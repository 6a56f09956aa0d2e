import type { Clock, Timers } from '../../src/clock.ts';

type Timer = { readonly at: number; readonly callback: () => void; readonly order: number };

/** A clock and timers that move only when the test says so. Wall and monotonic time advance together. */
export class ManualTime implements Clock, Timers {
  /** By how much the wall clock has stepped, ms. */
  offset = 0;
  #now: number;
  #monotonic = 1000;
  #order = 0;
  readonly #timers = new Set<Timer>();

  constructor(now: number) {
    this.#now = now;
  }

  now(): number {
    return this.#now + this.offset;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  set(callback: () => void, delay: number): Timer {
    const timer = { at: this.#monotonic + Math.max(delay, 0), callback, order: this.#order++ };
    this.#timers.add(timer);
    return timer;
  }

  clear(timer: unknown): void {
    this.#timers.delete(timer as Timer);
  }

  /** Lets ms pass: the timers that come due run in order, and what they resolved runs before the next. */
  async advance(duration: number): Promise<void> {
    const end = this.#monotonic + duration;
    for (;;) {
      await settleMicrotasks();
      const next = [...this.#timers].sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (next === undefined || next.at > end) break;
      this.#move(next.at);
      this.#timers.delete(next);
      next.callback();
    }
    this.#move(end);
    await settleMicrotasks();
  }

  /** A thread that stood still: ms pass, and only then do the timers that came due run. */
  async leap(duration: number): Promise<void> {
    this.#move(this.#monotonic + duration);
    await this.advance(0);
  }

  #move(monotonic: number): void {
    this.#now += Math.max(0, monotonic - this.#monotonic);
    this.#monotonic = Math.max(monotonic, this.#monotonic);
  }
}

/** Lets everything that is already resolved run. */
export function settleMicrotasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
