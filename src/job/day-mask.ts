import type { CronPattern } from './cron.ts';

const SECONDS = 86_400;

/**
 * Which seconds of a local day are free, a bit for each of them, or for each minute where that will do: 11 kB, or 180
 * bytes.
 */
export class DayMask {
  /** Seconds that a bit stands for. */
  readonly #unit: 1 | 60;
  /** Bit n % 32 of word n / 32, set where unit n of the day is free. */
  readonly #words: Uint32Array;

  private constructor(unit: 1 | 60, free: boolean) {
    this.#unit = unit;
    this.#words = new Uint32Array(Math.ceil(SECONDS / unit / 32)).fill(free ? 0xffffffff : 0);
  }

  static of(free: boolean): DayMask {
    return new DayMask(60, free);
  }

  /**
   * All but the times of a pattern, on a day that it has; a pattern without seconds has whole minutes.
   *
   * @param unit seconds that a bit stands for; 1 if the pattern has seconds
   */
  static without(pattern: CronPattern, unit: 1 | 60): DayMask {
    const mask = new DayMask(unit, true);
    let second = pattern.nextOfDay(0);
    while (second >= 0) {
      const index = Math.floor(second / unit);
      mask.#words[index >>> 5]! &= ~(1 << (index & 31));
      const next = (index + 1) * unit;
      second = next < SECONDS ? pattern.nextOfDay(next) : -1;
    }
    return mask;
  }

  /** What is free in all of them, of which there is one at least, and whose units are the same. */
  static common(masks: readonly DayMask[]): DayMask {
    const mask = new DayMask(masks[0]!.#unit, true);
    for (const other of masks) {
      for (let word = 0; word < mask.#words.length; word++) mask.#words[word]! &= other.#words[word]!;
    }
    return mask;
  }

  /** @param second of the day, 0 to 86399 */
  isFree(second: number): boolean {
    const unit = Math.floor(second / this.#unit);
    return (this.#words[unit >>> 5]! & (1 << (unit & 31))) !== 0;
  }

  /** The first free second after `second`; 86400 when there is none. */
  nextFree(second: number): number {
    let unit = Math.floor(second / this.#unit) + 1;
    const units = SECONDS / this.#unit;
    while (unit < units) {
      // Bits from `unit` on; what a shift of JavaScript gives is signed, and as a mask the same.
      const bits = this.#words[unit >>> 5]! & (-1 << (unit & 31));
      if (bits !== 0) return Math.min(SECONDS, ((unit & ~31) + 31 - Math.clz32(bits & -bits)) * this.#unit);
      unit = (unit & ~31) + 32;
    }
    return SECONDS;
  }

  /** The last free second before the unit of `second`, which is not free; -1 when there is none. */
  previousFree(second: number): number {
    let unit = Math.floor(second / this.#unit) - 1;
    while (unit >= 0) {
      const bits = this.#words[unit >>> 5]! & (-1 >>> (31 - (unit & 31)));
      if (bits !== 0) return ((unit & ~31) + 32 - Math.clz32(bits)) * this.#unit - 1;
      unit = (unit & ~31) - 1;
    }
    return -1;
  }
}

export const ALL_FREE = DayMask.of(true);
export const NONE_FREE = DayMask.of(false);
