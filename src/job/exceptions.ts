import type { CaughtUp } from './caught-up.ts';
import type { Lapse, PacedCatchUp } from './paced-catch-up.ts';

/**
 * The exceptions of a checkpoint: the unsettled occurrences before the watermark, as (job id, scheduled time, how many
 * earlier ones it stands for), in a compact form for one column. Layout: a count, then for each entry, sorted by id then
 * time, the id's difference to the entry before, the time's difference to the entry before, and the number that it
 * stands for, as unsigned LEB128 (the time's zigzag-encoded). In a catch-up there follow its `origin`, how many steps it
 * has, and each one's `until` and `through` as the difference to those of the step before (of the first, to `origin`). In
 * one that is paced there follow two zeros (no steps) and the numbers of `PacedCatchUp`, in their order but for the lapses, which come last
 * behind their number; 0 stands for Infinity.
 */
export type Exceptions = {
  /** Job ids, ascending. */
  readonly ids: Float64Array;
  /** Scheduled times, Unix ms, beside the ids. */
  readonly times: Float64Array;
  /** How many missed ones each stands for. */
  readonly behind: Float64Array;
  /** Null while nothing is caught up with. */
  readonly caughtUp: CaughtUp | null;
  /** Null while nothing waits for the rate of catch-ups, or all of it is listed. */
  readonly paced?: PacedCatchUp | null;
};

/** The most that a checkpoint lists; what does not fit holds the watermark back. */
export const EXCEPTIONS_LIMIT = 10_000;

export const NO_EXCEPTIONS: Exceptions = {
  ids: new Float64Array(0),
  times: new Float64Array(0),
  behind: new Float64Array(0),
  caughtUp: null,
};

export function encodeExceptions({ ids, times, behind, caughtUp, paced = null }: Exceptions): Uint8Array {
  const bytes = new Bytes();
  bytes.write(ids.length);
  let id = 0;
  let time = 0;
  for (const index of inOrder(ids, times)) {
    bytes.write(ids[index]! - id);
    const difference = times[index]! - time;
    bytes.write(difference >= 0 ? difference * 2 : -difference * 2 - 1);
    bytes.write(behind[index]!);
    id = ids[index]!;
    time = times[index]!;
  }
  if (caughtUp !== null) writeCaughtUp(bytes, caughtUp);
  else if (paced !== null) writePaced(bytes, paced);
  return bytes.read();
}

/**
 * The places of the entries, sorted. Numbers are sorted several times as fast as by a comparison of ours: by the id, with
 * the place in the low digits. Two entries of one job, or large ids, are rare.
 */
function inOrder(ids: Float64Array, times: Float64Array): Float64Array {
  const size = ids.length;
  const compare = (a: number, b: number) => ids[a]! - ids[b]! || times[a]! - times[b]!;
  const order = new Float64Array(size);
  for (let place = 0; place < size; place++) order[place] = ids[place]! * size + place;
  order.sort();
  let isSorted = size === 0 || order[size - 1]! <= Number.MAX_SAFE_INTEGER;
  for (let index = 0; index < size && isSorted; index++) {
    order[index]! -= Math.floor(order[index]! / size) * size;
    isSorted = index === 0 || compare(order[index - 1]!, order[index]!) <= 0;
  }
  return isSorted ? order : ids.map((_, place) => place).sort(compare);
}

/** @throws RangeError when the bytes are not what `encodeExceptions` writes */
export function decodeExceptions(bytes: Uint8Array): Exceptions {
  if (bytes.length === 0) return NO_EXCEPTIONS;
  let position = 0;
  const read = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[position++];
      if (byte === undefined || factor > 2 ** 49) throw new RangeError('the list of exceptions is damaged');
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  const count = read();
  if (count > bytes.length) throw new RangeError('the list of exceptions is damaged');
  const ids = new Float64Array(count);
  const times = new Float64Array(count);
  const behind = new Float64Array(count);
  let id = 0;
  let time = 0;
  for (let index = 0; index < count; index++) {
    id += read();
    const zigzag = read();
    time += zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
    ids[index] = id;
    times[index] = time;
    behind[index] = read();
  }
  const told = position === bytes.length ? null : { origin: read(), steps: read() };
  const caughtUp = told === null || told.steps === 0 ? null : readCaughtUp(told.origin, told.steps, read);
  const paced = told?.steps === 0 ? readPaced(read) : null;
  if (position !== bytes.length) throw new RangeError('the list of exceptions is damaged');
  return { ids, times, behind, caughtUp, paced };
}

function writeCaughtUp(bytes: Bytes, { origin, untils, throughs }: CaughtUp): void {
  bytes.write(origin);
  bytes.write(untils.length);
  for (const [index, until] of untils.entries()) {
    bytes.write(until - (untils[index - 1] ?? origin));
    bytes.write(throughs[index]! - (throughs[index - 1] ?? origin));
  }
}

function readCaughtUp(origin: number, steps: number, read: () => number): CaughtUp {
  const untils: number[] = [];
  const throughs: number[] = [];
  for (let left = steps; left > 0; left--) {
    untils.push((untils.at(-1) ?? origin) + read());
    throughs.push((throughs.at(-1) ?? origin) + read());
  }
  return { origin, untils, throughs };
}

function writePaced(bytes: Bytes, { misfireAfter, known, lapses, missedFrom, through }: PacedCatchUp): void {
  for (const number of [0, 0, misfireAfter, known, missedFrom, through, lapses.length]) bytes.write(number);
  for (const lapse of lapses) {
    bytes.write(lapse.from);
    bytes.write(lapse.clock);
    for (const time of [lapse.missedFrom, lapse.waitsFrom]) {
      bytes.write(time === Number.POSITIVE_INFINITY ? 0 : time);
    }
  }
}

function readPaced(read: () => number): PacedCatchUp {
  const [misfireAfter, known, missedFrom, through] = [read(), read(), read(), read()];
  const lapses: Lapse[] = [];
  for (let left = read(); left > 0; left--) {
    const [from, clock] = [read(), read()];
    const missedFrom = read() || Number.POSITIVE_INFINITY;
    lapses.push({ from, clock, missedFrom, waitsFrom: read() || Number.POSITIVE_INFINITY });
  }
  return { misfireAfter, known, lapses, missedFrom, through };
}

/** Unsigned LEB128, over a growing array: ten thousand entries are written several times a second. */
class Bytes {
  #bytes = new Uint8Array(256);
  #length = 0;

  /** Numbers up to 2^53. */
  write(value: number): void {
    if (this.#length + 8 > this.#bytes.length) this.#grow();
    let rest = value;
    for (; rest > 0x7fffffff; rest = Math.floor(rest / 128)) this.#bytes[this.#length++] = (rest % 128) | 128;
    for (; rest >= 128; rest >>>= 7) this.#bytes[this.#length++] = (rest & 127) | 128;
    this.#bytes[this.#length++] = rest;
  }

  /** A copy of all that was written. */
  read(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #grow(): void {
    const larger = new Uint8Array(2 * this.#bytes.length);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}
