/**
 * The jobs' bytes, outside the JavaScript heap. Memory comes in slabs of 1 MiB, cut into units of 16 bytes; a
 * reference is the number of a block's first unit, counted over all slabs:
 *
 *   reference:  | slab number | unit in slab |        block:  | bytes ... | rest of the last unit |
 *   bits:         16            16
 *
 * A block has a size class, which its length alone tells: whole units up to 1 KiB, then steps of an eighth of a
 * power of two. A freed block is kept for the next one of its class: its first four bytes name the one freed
 * before it. What is larger than a slab gets a slab of its own size.
 */
const UNIT = 16;
const SLAB = 1 << 20;
const UNITS_IN_SLAB = SLAB / UNIT;
const NONE = 0xffffffff;
/** So few bytes are copied quicker one by one than by a call out of JavaScript. */
const FEW = 100;

export class ByteStore {
  readonly #slabs: Uint8Array[] = [];
  /** By units of the class: the block that was freed last. */
  readonly #freed = new Map<number, number>();
  #slab = -1;
  #used = UNITS_IN_SLAB;
  #bytes = 0;

  /** Bytes that the blocks in use take; those that were freed serve the next ones of their class. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Copies the bytes in. @returns the block's reference, 32 bits, unsigned */
  put(bytes: Uint8Array): number {
    const units = unitsFor(bytes.length);
    const reference = this.#allocate(units);
    this.#bytes += units * UNIT;
    const slab = this.#slabs[reference >>> 16]!;
    const start = (reference & 0xffff) * UNIT;
    if (bytes.length > FEW) slab.set(bytes, start);
    else for (let index = 0; index < bytes.length; index++) slab[start + index] = bytes[index]!;
    return reference;
  }

  /** Copies a block's bytes to `target` at `offset`. */
  copy(reference: number, length: number, target: Uint8Array, offset: number): void {
    const start = (reference & 0xffff) * UNIT;
    target.set(this.#slabs[reference >>> 16]!.subarray(start, start + length), offset);
  }

  /** Whether the block holds exactly these bytes. */
  equals(reference: number, length: number, bytes: Uint8Array): boolean {
    if (length !== bytes.length) return false;
    const start = (reference & 0xffff) * UNIT;
    const slab = this.#slabs[reference >>> 16]!;
    for (let index = 0; index < length; index++) if (slab[start + index] !== bytes[index]) return false;
    return true;
  }

  /** Gives the block back; `length` is that of the bytes that were put. */
  free(reference: number, length: number): void {
    const units = unitsFor(length);
    this.#bytes -= units * UNIT;
    writeReference(
      this.#slabs[reference >>> 16]!,
      (reference & 0xffff) * UNIT,
      this.#freed.get(units) ?? NONE,
    );
    this.#freed.set(units, reference);
  }

  #allocate(units: number): number {
    const freed = this.#freed.get(units) ?? NONE;
    if (freed !== NONE) {
      const next = readReference(this.#slabs[freed >>> 16]!, (freed & 0xffff) * UNIT);
      this.#freed.set(units, next);
      return freed;
    }
    if (units > UNITS_IN_SLAB) return this.#addSlab(units * UNIT) * UNITS_IN_SLAB;
    if (this.#used + units > UNITS_IN_SLAB) {
      this.#slab = this.#addSlab(SLAB);
      this.#used = 0;
    }
    const reference = (this.#slab * UNITS_IN_SLAB + this.#used) >>> 0;
    this.#used += units;
    return reference;
  }

  #addSlab(size: number): number {
    if (this.#slabs.length >= 65_535) throw new RangeError('the byte store is full: 64 GiB');
    return this.#slabs.push(new Uint8Array(size)) - 1;
  }
}

function unitsFor(length: number): number {
  const units = Math.max(1, Math.ceil(length / UNIT));
  if (units <= 64) return units;
  const step = 2 ** (Math.floor(Math.log2(units)) - 3);
  return Math.ceil(units / step) * step;
}

function writeReference(slab: Uint8Array, at: number, value: number): void {
  for (let shift = 0; shift < 4; shift++) slab[at + shift] = (value >>> (8 * shift)) & 255;
}

function readReference(slab: Uint8Array, at: number): number {
  return (slab[at]! | (slab[at + 1]! << 8) | (slab[at + 2]! << 16) | (slab[at + 3]! << 24)) >>> 0;
}
