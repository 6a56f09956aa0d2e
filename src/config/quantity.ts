/**
 * Numbers as they are written in a setting. Every quantity with a unit needs the unit: whether `5` is seconds or
 * milliseconds is the kind of guess that shows only in an outage.
 *
 * - a time: a whole number and `ms`, `s`, `m` or `h`: `250ms`, `8s`, `1m`, `2h`; read as ms
 * - a size: a whole number of bytes, or of units of 1024 with `K`, `M` or `G`: `4M`; read as bytes
 * - a count: a whole number, in decimal
 */
export type Unit = 'count' | 'time' | 'size';

/** Limits are written in the same notation as values, so that messages can show them. Both are allowed values. */
export type Quantity = {
  readonly unit: Unit;
  readonly minimum: string;
  readonly maximum: string;
  /** 0 is allowed below the minimum, and has a meaning of its own. */
  readonly zero?: true;
};

const units: Readonly<Record<Unit, Readonly<Record<string, number>>>> = {
  count: { '': 1 },
  time: { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 },
  size: { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 },
};

/** The value in units of one, ms or bytes; undefined when the text is not such a quantity. */
export function parseQuantity(text: string, unit: Unit): number | undefined {
  const match = /^(\d{1,16})([A-Za-z]*)$/.exec(text);
  if (match === null) return undefined;
  const factor = units[unit][match[2]!];
  const value = Number(match[1]);
  // A bare 0 is the same in every unit.
  if (value === 0 && match[2] === '') return 0;
  if (factor === undefined) return undefined;
  return Number.isSafeInteger(value * factor) ? value * factor : undefined;
}

/** The value when the text is a quantity within its limits. */
export function parseWithin(text: string, quantity: Quantity): number | undefined {
  const value = parseQuantity(text, quantity.unit);
  if (value === undefined || (value === 0 && quantity.zero)) return value;
  const minimum = parseQuantity(quantity.minimum, quantity.unit)!;
  const maximum = parseQuantity(quantity.maximum, quantity.unit)!;
  return value >= minimum && value <= maximum ? value : undefined;
}

/** The rule in words, to follow "must be". */
export function quantityRule({ unit, minimum, maximum, zero }: Quantity): string {
  const kind = {
    count: 'a whole number',
    time: 'a time with its unit (such as 250ms, 8s, 1m or 2h)',
    size: 'a whole number of bytes, or one with K, M or G (such as 512M)',
  }[unit];
  return `${kind} from ${minimum} to ${maximum}${zero ? ', or 0' : ''}`;
}
