import { setFlagsFromString } from 'node:v8';
import { seededRandom } from '../helpers/random.ts';

/** When a run takes place. */
export type Calendar = {
  /** Unix ms at its beginning. */
  readonly start: number;
  /** World time of a moment, ms, and how much later it is then all at once, ms: nothing runs in between. */
  readonly outageAt: number;
  readonly outage: number;
};

type Event = {
  readonly at: number;
  readonly order: number;
  run: (() => void) | null;
  readonly drain: boolean;
};

/**
 * Virtual time, the one source of chance, and what is remembered of a run: a hash of all that happened, in order,
 * and how often each kind of thing did. Times are in ms from the start of the run.
 */
export class World {
  readonly random: () => number;
  readonly counts = new Map<string, number>();
  calendar: Calendar = { start: 1_800_000_000_000, outageAt: Number.POSITIVE_INFINITY, outage: 0 };
  /** May act on what has just happened. */
  onTrace: (line: string) => void = () => {};
  /** Shows each line of the trace. */
  readonly #show: ((line: string) => void) | null;
  #now = 0;
  #order = 0;
  #heap: Event[] = [];
  #hash = 0x811c9dc5;
  #hash2 = 0x1b873593;

  constructor(seed: number, show: ((line: string) => void) | null = null) {
    this.random = seededRandom(seed);
    this.#show = show;
  }

  get now(): number {
    return this.#now;
  }

  /** Unix ms as nobody's clock is wrong about it. @param time of the world, ms */
  unix(time = this.#now): number {
    const { start, outageAt, outage } = this.calendar;
    return start + time + (time >= outageAt ? outage : 0);
  }

  /** The hash of the trace so far. */
  get hash(): string {
    return [this.#hash, this.#hash2].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
  }

  /** A number from `low` to `high`, both included where whole. */
  between(low: number, high: number): number {
    return low + this.random() * (high - low);
  }

  whole(low: number, high: number): number {
    return low + Math.floor(this.random() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)]!;
  }

  count(kind: string, by = 1): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + by);
  }

  /** Something happened: it is part of the trace. */
  trace(line: string): void {
    this.#mix(line);
    this.onTrace(line);
    this.#show?.(`${this.#now.toFixed(3).padStart(10)} ${line}`);
  }

  event(kind: string, detail = ''): void {
    this.count(kind);
    this.trace(`${kind} ${detail}`);
  }

  /**
   * Runs something after a while.
   *
   * @param drain whether promises may have been settled by it, whose reactions belong to this moment
   */
  after(delay: number, run: () => void, drain = false): { cancel(): void } {
    const event: Event = { at: this.#now + Math.max(delay, 0), order: this.#order++, run, drain };
    this.#push(event);
    return {
      cancel() {
        event.run = null;
      },
    };
  }

  /** Lets time pass until then (ms from the start), or until `isOver` says so. */
  run(until: number, isOver: () => boolean = () => false): Promise<void> {
    return new Promise((resolve, reject) => {
      // Outside of any reaction of a promise, so that those can be run from within.
      setImmediate(() => {
        try {
          this.#run(until, isOver);
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #run(until: number, isOver: () => boolean): void {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.at > until) break;
      this.#pop();
      if (next.run === null) continue;
      this.#now = next.at;
      next.run();
      if (next.drain) runMicrotasks();
      if (isOver()) return;
    }
    this.#now = until;
  }

  #mix(line: string): void {
    let hash = this.#hash;
    let hash2 = this.#hash2 ^ Math.round(this.#now * 1000);
    for (let index = 0; index < line.length; index++) {
      const code = line.charCodeAt(index);
      hash = Math.imul(hash ^ code, 0x01000193);
      hash2 = Math.imul((hash2 << 5) ^ (hash2 >>> 27) ^ code, 0x9e3779b1);
    }
    this.#hash = hash;
    this.#hash2 = hash2;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let place = heap.push(event) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[place] = heap[parent]!;
      place = parent;
    }
    heap[place] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

setFlagsFromString('--allow-natives-syntax');
/**
 * Lets all that is already settled have its reactions. A turn of the event loop would do the same, and take ten times
 * as long, which for thousands of moments in each run is most of the time.
 */
const runMicrotasks = new Function('%PerformMicrotaskCheckpoint()') as () => void;
