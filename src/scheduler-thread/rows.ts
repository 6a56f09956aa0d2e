import { CHUNK_BITS, CHUNK_SIZE, PLACE_MASK } from './column.ts';

type Numbers = Float64Array | Int32Array | Uint8Array;

/**
 * Rows of numbers outside the JavaScript heap, in chunks as those of a `Column`. The fields of a row lie side by side: a
 * job's turn looks at most of them, and a row that nobody has looked at for minutes is one miss of the cache, where columns
 * would be one each.
 */
export class Rows {
  readonly #bytes: number;
  readonly #float64s: Float64Array[] = [];
  readonly #int32s: Int32Array[] = [];
  readonly #uint8s: Uint8Array[] = [];

  /** @param bytes of a row: a multiple of 8 */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** @param offset of the field in its row, bytes: a multiple of the field's size, as for the others */
  float64(offset: number): Field {
    return new Field(this.#float64s, this.#bytes / 8, offset / 8);
  }

  int32(offset: number): Field {
    return new Field(this.#int32s, this.#bytes / 4, offset / 4);
  }

  uint8(offset: number): Field {
    return new Field(this.#uint8s, this.#bytes, offset);
  }

  /** How many rows there is room for. */
  get capacity(): number {
    return this.#uint8s.length * CHUNK_SIZE;
  }

  /** Makes room for the rows 0 to `count - 1`. */
  reserve(count: number): void {
    while (this.capacity < count) {
      const chunk = new ArrayBuffer(CHUNK_SIZE * this.#bytes);
      this.#float64s.push(new Float64Array(chunk));
      this.#int32s.push(new Int32Array(chunk));
      this.#uint8s.push(new Uint8Array(chunk));
    }
  }
}

/** One field of all rows, read and written as a `Column` is. */
export class Field {
  readonly #chunks: readonly Numbers[];
  readonly #stride: number;
  readonly #offset: number;

  constructor(chunks: readonly Numbers[], stride: number, offset: number) {
    this.#chunks = chunks;
    this.#stride = stride;
    this.#offset = offset;
  }

  get(index: number): number {
    return this.#chunks[index >>> CHUNK_BITS]![(index & PLACE_MASK) * this.#stride + this.#offset]!;
  }

  set(index: number, value: number): void {
    this.#chunks[index >>> CHUNK_BITS]![(index & PLACE_MASK) * this.#stride + this.#offset] = value;
  }
}
