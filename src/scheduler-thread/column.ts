/**
 * A growing array of numbers outside the JavaScript heap, in chunks: growing never copies what is there.
 *
 *   index:   | chunk number | place in chunk |
 *   bits:      the rest       12
 */
export const CHUNK_BITS = 12;
export const CHUNK_SIZE = 1 << CHUNK_BITS;
export const PLACE_MASK = CHUNK_SIZE - 1;

type Chunk = Float64Array | Int32Array | Uint8Array;

export class Column<T extends Chunk = Chunk> {
  readonly #make: () => T;
  readonly #chunks: T[] = [];

  constructor(type: new (length: number) => T) {
    this.#make = () => new type(CHUNK_SIZE);
  }

  /** How many entries there is room for. */
  get capacity(): number {
    return this.#chunks.length * CHUNK_SIZE;
  }

  /** Makes room for the entries 0 to `count - 1`. */
  reserve(count: number): void {
    while (this.capacity < count) this.#chunks.push(this.#make());
  }

  get(index: number): number {
    return this.#chunks[index >>> CHUNK_BITS]![index & PLACE_MASK]!;
  }

  set(index: number, value: number): void {
    this.#chunks[index >>> CHUNK_BITS]![index & PLACE_MASK] = value;
  }
}
