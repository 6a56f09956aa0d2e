import { Column } from './column.ts';
import { LeastFirst } from './least-first.ts';

/**
 * An indexed priority queue of slots by due time: a heap of four children a node (half the depth of a binary
 * one, and the children share a cache line), over typed arrays. Insert, change, remove and take are O(log n).
 *
 *   place:      0  |  1  2  3  4  |  5 ... 20  | ...      children of p: 4p + 1 ... 4p + 4
 *   #slots:   slot at that place          #times: its due time, beside it, so that sifting reads no other array
 *   #places:  by slot, its place + 1; 0 when it is not queued
 */
export class PriorityQueue {
  readonly #slots = new Column(Int32Array);
  readonly #times = new Column(Float64Array);
  readonly #places = new Column(Int32Array);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The earliest due time, Unix ms; Infinity when it is empty. */
  get firstTime(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : this.#times.get(0);
  }

  /** The slot that is due first, or -1. */
  get firstSlot(): number {
    return this.#size === 0 ? -1 : this.#slots.get(0);
  }

  /** The due time of a slot; Infinity when it is not queued. */
  timeOf(slot: number): number {
    if (slot >= this.#places.capacity) return Number.POSITIVE_INFINITY;
    const place = this.#places.get(slot) - 1;
    return place === -1 ? Number.POSITIVE_INFINITY : this.#times.get(place);
  }

  /** How many slots are due at or before a time, Unix ms; it takes as long as there are many. */
  countUntil(time: number): number {
    return this.#countFrom(0, time);
  }

  /**
   * The first `count` slots by their times, earliest first; those of one time in no order. A walk over the heap, best
   * first: it takes count * log(count), however many are queued, and changes nothing.
   */
  first(count: number): readonly { readonly slot: number; readonly time: number }[] {
    const found: { slot: number; time: number }[] = [];
    // Places whose parents are found, and which may be next.
    const next = new LeastFirst((place) => this.#times.get(place));
    if (this.#size > 0) next.add(0);
    while (found.length < count) {
      const place = next.take();
      if (place === undefined) break;
      found.push({ slot: this.#slots.get(place), time: this.#times.get(place) });
      const end = Math.min(place * 4 + 5, this.#size);
      for (let child = place * 4 + 1; child < end; child++) next.add(child);
    }
    return found;
  }

  /** Queues the slot, or moves it, to a due time; Infinity removes it. */
  set(slot: number, time: number): void {
    this.#places.reserve(slot + 1);
    const place = this.#places.get(slot) - 1;
    if (time === Number.POSITIVE_INFINITY) {
      if (place !== -1) this.#removeAt(slot, place);
    } else if (place === -1) {
      this.#slots.reserve(this.#size + 1);
      this.#times.reserve(this.#size + 1);
      this.#up(this.#size++, slot, time);
    } else if (time < this.#times.get(place)) {
      this.#up(place, slot, time);
    } else {
      this.#down(place, slot, time);
    }
  }

  remove(slot: number): void {
    this.set(slot, Number.POSITIVE_INFINITY);
  }

  /** Children are never due before their parent: below one that is not due there is nothing to count. */
  #countFrom(place: number, time: number): number {
    if (place >= this.#size || this.#times.get(place) > time) return 0;
    let count = 1;
    for (let child = place * 4 + 1; child <= place * 4 + 4; child++) count += this.#countFrom(child, time);
    return count;
  }

  #removeAt(slot: number, place: number): void {
    this.#places.set(slot, 0);
    this.#size--;
    if (place === this.#size) return;
    const last = this.#slots.get(this.#size);
    const time = this.#times.get(this.#size);
    if (place > 0 && time < this.#times.get((place - 1) >> 2)) this.#up(place, last, time);
    else this.#down(place, last, time);
  }

  #up(from: number, slot: number, time: number): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 2;
      const parentTime = this.#times.get(parent);
      if (parentTime <= time) break;
      this.#put(place, this.#slots.get(parent), parentTime);
      place = parent;
    }
    this.#put(place, slot, time);
  }

  #down(from: number, slot: number, time: number): void {
    const size = this.#size;
    let place = from;
    for (;;) {
      const first = place * 4 + 1;
      if (first >= size) break;
      let least = first;
      let leastTime = this.#times.get(first);
      const end = Math.min(first + 4, size);
      for (let child = first + 1; child < end; child++) {
        const childTime = this.#times.get(child);
        if (childTime < leastTime) {
          least = child;
          leastTime = childTime;
        }
      }
      if (leastTime >= time) break;
      this.#put(place, this.#slots.get(least), leastTime);
      place = least;
    }
    this.#put(place, slot, time);
  }

  #put(place: number, slot: number, time: number): void {
    this.#slots.set(place, slot);
    this.#times.set(place, time);
    this.#places.set(slot, place + 1);
  }
}
