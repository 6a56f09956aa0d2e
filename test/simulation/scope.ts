import type { Clock, Timers } from '../../src/clock.ts';
import type { World } from './world.ts';

/**
 * A process, or a thread of one: what belongs to it, its timers and what is delivered to it, ends with it. While it
 * is frozen nothing of it runs, and time goes on.
 */
export class Scope implements Timers {
  readonly world: World;
  readonly #parent: Scope | null;
  readonly #children = new Set<Scope>();
  readonly #onEnd: (() => void)[] = [];
  #dead = false;
  #frozen = false;
  #held: (() => void)[] = [];

  constructor(world: World, parent: Scope | null = null) {
    this.world = world;
    this.#parent = parent;
    if (parent !== null) parent.#children.add(this);
  }

  get dead(): boolean {
    return this.#dead || (this.#parent?.dead ?? false);
  }

  get frozen(): boolean {
    return this.#frozen || (this.#parent?.frozen ?? false);
  }

  onEnd(callback: () => void): void {
    this.#onEnd.push(callback);
  }

  end(): void {
    if (this.#dead) return;
    this.#dead = true;
    for (const child of this.#children) child.end();
    for (const callback of this.#onEnd) callback();
  }

  freeze(): void {
    this.#frozen = true;
  }

  thaw(): void {
    this.#frozen = false;
    const held = this.#takeHeld();
    for (const callback of held) this.world.after(0, () => this.#enter(callback), true);
  }

  /** Runs something in the scope after a while, unless it has ended by then. */
  after(delay: number, callback: () => void): { cancel(): void } {
    let cancelled = false;
    const event = this.world.after(delay, () => this.#enter(() => cancelled || callback()), true);
    return {
      cancel() {
        cancelled = true;
        event.cancel();
      },
    };
  }

  set(callback: () => void, delay: number): unknown {
    // Node's timers count whole ms, of at least one, and fire a little late.
    const whole = Math.min(Math.max(Math.ceil(delay), 1), 2 ** 31 - 1);
    return this.after(whole + this.world.random() * 0.3, callback);
  }

  clear(timer: unknown): void {
    (timer as { cancel(): void } | null | undefined)?.cancel();
  }

  #enter(callback: () => void): void {
    if (this.dead) return;
    if (this.frozen) this.#root().#held.push(() => this.#enter(callback));
    else callback();
  }

  #root(): Scope {
    return this.#parent?.frozen ? this.#parent.#root() : this;
  }

  #takeHeld(): (() => void)[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }
}

/** A machine's wall clock: it may be off, drift, and jump. */
export class WallClock {
  readonly #world: World;
  /** ms */
  offset: number;
  /** ms for each ms. */
  drift: number;
  /** ms that it was set by, together with MySQL's. */
  step = 0;

  constructor(world: World, offset: number, drift: number) {
    this.#world = world;
    this.offset = offset;
    this.drift = drift;
  }

  /** Unix ms, whole as Date.now's. */
  now(): number {
    return Math.floor(this.#world.unix() + this.#world.now * this.drift + this.offset + this.step);
  }
}

/** The scheduler thread's clock, over virtual time. */
export class ThreadClock implements Clock {
  readonly #world: World;
  #offset: number;
  #last = 0;

  constructor(world: World, offset: number) {
    this.#world = world;
    this.#offset = offset;
  }

  setOffset(offset: number, stepped: boolean): void {
    this.#offset = offset;
    if (stepped) this.#last = 0;
  }

  now(): number {
    this.#last = Math.max(this.#last, this.monotonic() + this.#offset);
    return this.#last;
  }

  monotonic(): number {
    return this.#world.now;
  }
}
