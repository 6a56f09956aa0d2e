import type { Timetable } from './times.ts';

/**
 * A timetable whose times are each moved later by up to `jitter` ms, so that jobs with the same schedule do not run all
 * at once: by a hash of job and time, so that it is the same whenever it is asked for. A time never reaches the one
 * after it, so that their order stays, nor passes `lastRun`.
 */
export class Jittered implements Timetable {
  readonly #times: Timetable;
  readonly #id: number;
  readonly #jitter: number;
  readonly #lastRun: number;

  /** @param lastRun Unix ms; no time of `times` is later */
  constructor(times: Timetable, id: number, jitter: number, lastRun: number) {
    this.#times = times;
    this.#id = id;
    this.#jitter = jitter;
    this.#lastRun = lastRun;
  }

  firstAtOrAfter(time: number): number {
    // The time before may be moved to `time` or later; the one before that cannot pass it.
    const moved = this.#move(this.#times.lastAtOrBefore(time));
    return moved >= time ? moved : this.#move(this.#baseAfter(time));
  }

  lastAtOrBefore(time: number): number {
    const base = this.#times.lastAtOrBefore(time);
    const moved = this.#move(base);
    return moved <= time ? moved : this.#move(this.#times.lastAtOrBefore(base - 1));
  }

  count(from: number, until: number, limit: number): number {
    // As many as there are unmoved times from that of the first in it to that of the first after it.
    return this.#times.count(this.#baseOf(from), this.#baseOf(until), limit);
  }

  /** The unmoved time of the first at or after `time`. */
  #baseOf(time: number): number {
    const base = this.#times.lastAtOrBefore(time);
    return this.#move(base) >= time ? base : this.#baseAfter(time);
  }

  #baseAfter(time: number): number {
    return this.#times.firstAtOrAfter(Math.floor(time) + 1);
  }

  #move(base: number): number {
    if (!Number.isFinite(base)) return base;
    const next = this.#times.firstAtOrAfter(base + 1);
    return base + (hash(this.#id, base) % Math.min(this.#jitter + 1, next - base, this.#lastRun - base + 1));
  }
}

/** A whole number below 2^53, the same for the same job and time, and for others as if drawn anew. */
function hash(id: number, time: number): number {
  const seed = mix(mix(id % 2 ** 32, 0x9e3779b9) ^ Math.floor(id / 2 ** 32), time % 2 ** 32);
  const low = mix(seed, Math.floor(time / 2 ** 32));
  return (mix(low, 0x85ebca6b) >>> 11) * 2 ** 32 + low;
}

/** One step of MurmurHash3 (public domain) and its final mix: 32 bits. */
function mix(state: number, value: number): number {
  let bits = Math.imul(state ^ value, 0xcc9e2d51);
  bits = Math.imul((bits << 15) | (bits >>> 17), 0x1b873593) + 0xe6546b64;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
