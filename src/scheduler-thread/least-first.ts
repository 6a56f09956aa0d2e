/** A few numbers, of which that with the least value is taken first: a binary heap. Both take O(log n). */
export class LeastFirst {
  readonly #value: (item: number) => number;
  readonly #items: number[] = [];

  constructor(value: (item: number) => number) {
    this.#value = value;
  }

  add(item: number): void {
    const items = this.#items;
    const value = this.#value(item);
    let place = items.length;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (this.#value(items[parent]!) <= value) break;
      items[place] = items[parent]!;
      place = parent;
    }
    items[place] = item;
  }

  take(): number | undefined {
    const items = this.#items;
    const least = items[0];
    const last = items.pop();
    if (items.length === 0 || last === undefined) return least;
    const value = this.#value(last);
    let place = 0;
    for (;;) {
      let child = place * 2 + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && this.#value(items[child + 1]!) < this.#value(items[child]!)) child++;
      if (this.#value(items[child]!) >= value) break;
      items[place] = items[child]!;
      place = child;
    }
    items[place] = last;
    return least;
  }
}
