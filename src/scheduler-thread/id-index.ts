/**
 * Finds the slot of a job id: an open-addressing hash table of slots, whose keys stand in the arena. It is cut
 * into segments that grow one by one, so that no insertion ever rehashes more than a few thousand entries.
 *
 *   hash of id -> segment (1024) -> linear probing in an Int32Array of slot + 1; 0 is free
 *
 * Removal shifts the entries behind it back (Knuth, 6.4, algorithm R), so there are no tombstones.
 */
const SEGMENTS = 1024;
const FIRST_SIZE = 16;
/** The share of a segment's room that may be taken. */
const LOAD_FACTOR = 3 / 4;
/** What every segment is until something is added to it. */
const EMPTY = new Int32Array(FIRST_SIZE);

export class IdIndex {
  readonly #idOf: (slot: number) => number;
  readonly #tables: Int32Array[] = [];
  readonly #counts = new Int32Array(SEGMENTS);

  /** @param idOf reads a slot's job id */
  constructor(idOf: (slot: number) => number) {
    this.#idOf = idOf;
    for (let index = 0; index < SEGMENTS; index++) this.#tables.push(EMPTY);
  }

  /** Makes room for about so many ids at once: growing there by doubling would hash each of them again and again. */
  reserve(count: number): void {
    const size = sizeFor(count / SEGMENTS);
    for (let segment = 0; segment < SEGMENTS; segment++) {
      if (this.#tables[segment]!.length < size) this.#resize(segment, size);
    }
  }

  /** @returns the slot, or -1 */
  find(id: number): number {
    const hash = hashOf(id);
    const table = this.#tables[hash & (SEGMENTS - 1)]!;
    const mask = table.length - 1;
    for (let place = (hash >>> 10) & mask; ; place = (place + 1) & mask) {
      const slot = table[place]! - 1;
      if (slot === -1 || this.#idOf(slot) === id) return slot;
    }
  }

  /** The id must not be there. */
  add(id: number, slot: number): void {
    const hash = hashOf(id);
    const segment = hash & (SEGMENTS - 1);
    let table = this.#tables[segment]!;
    if (table === EMPTY) {
      table = new Int32Array(FIRST_SIZE);
      this.#tables[segment] = table;
    }
    if (this.#counts[segment]! >= table.length * LOAD_FACTOR) table = this.#resize(segment, table.length * 2);
    insert(table, hash, slot);
    this.#counts[segment]!++;
  }

  remove(id: number): void {
    const hash = hashOf(id);
    const segment = hash & (SEGMENTS - 1);
    const table = this.#tables[segment]!;
    const mask = table.length - 1;
    let hole = (hash >>> 10) & mask;
    while (this.#idOf(table[hole]! - 1) !== id) hole = (hole + 1) & mask;
    this.#counts[segment]!--;
    for (let place = (hole + 1) & mask; table[place] !== 0; place = (place + 1) & mask) {
      const home = (hashOf(this.#idOf(table[place]! - 1)) >>> 10) & mask;
      if (((place - home) & mask) >= ((place - hole) & mask)) {
        table[hole] = table[place]!;
        hole = place;
      }
    }
    table[hole] = 0;
  }

  #resize(segment: number, size: number): Int32Array {
    const old = this.#tables[segment]!;
    const table = new Int32Array(size);
    for (const entry of old) if (entry !== 0) insert(table, hashOf(this.#idOf(entry - 1)), entry - 1);
    this.#tables[segment] = table;
    return table;
  }
}

/** The table's length for so many ids in a segment: hashes spread them unevenly, and a full one has to grow. */
function sizeFor(count: number): number {
  const room = (count + 4 * Math.sqrt(count)) / LOAD_FACTOR;
  return Math.max(FIRST_SIZE, 2 ** Math.ceil(Math.log2(room)));
}

function insert(table: Int32Array, hash: number, slot: number): void {
  const mask = table.length - 1;
  let place = (hash >>> 10) & mask;
  while (table[place] !== 0) place = (place + 1) & mask;
  table[place] = slot + 1;
}

/** Mixes all 53 bits of an id (the finaliser of MurmurHash3). */
function hashOf(id: number): number {
  // Both take the low 32 bits, of the id and of what is above them.
  let hash = (id | 0) ^ Math.imul(id / 0x100000000, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
