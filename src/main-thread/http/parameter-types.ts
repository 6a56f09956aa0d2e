import { DalgaError, invalidParameter } from '../../errors.ts';
import { parseIntervalJson, parseIntervalText } from '../../job/interval.ts';
import { INTERVAL_LIMIT } from '../../job/job.ts';
import { parseTime } from '../../job/rfc3339.ts';

/** How a value is read: from the text of a query string or form, and from JSON. Each throws a DalgaError. */
export type ParameterType<T> = {
  readonly text: (name: string, text: string) => T;
  readonly json: (name: string, value: unknown) => T;
};

/** A string in JSON, by the same rule as text. */
function textual<T>(parse: (name: string, text: string) => T, what = 'a string'): ParameterType<T> {
  return {
    text: parse,
    json: (name, value) => {
      if (typeof value !== 'string') throw invalidParameter(name, `must be ${what}`);
      return parse(name, value);
    },
  };
}

export const time = textual<number>(parseTime, 'a string with an RFC 3339 time');

export const boolean: ParameterType<boolean> = {
  text: (name, text) => {
    if (text === 'true' || text === '1') return true;
    if (text === 'false' || text === '0') return false;
    throw invalidParameter(name, 'must be true or false (or 1 or 0)');
  },
  json: (name, value) => {
    if (typeof value !== 'boolean') throw invalidParameter(name, 'must be true or false, without quotes');
    return value;
  },
};

export function integer(minimum: number, maximum: number): ParameterType<number> {
  const check = (name: string, value: number): number => {
    if (Number.isInteger(value) && value >= minimum && value <= maximum) return value;
    throw invalidParameter(name, `must be a whole number from ${minimum} to ${maximum}`);
  };
  return {
    text: (name, text) => check(name, /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN),
    json: (name, value) => check(name, typeof value === 'number' ? value : Number.NaN),
  };
}

/** Whole seconds, as ms. */
export function seconds(minimum: number, maximum: number): ParameterType<number> {
  const whole = integer(minimum, maximum);
  return {
    text: (name, text) => whole.text(name, text) * 1000,
    json: (name, value) => whole.json(name, value) * 1000,
  };
}

export function choice<const T extends string>(...choices: readonly T[]): ParameterType<T> {
  return textual((name, text) => {
    const found = choices.find((one) => one === text);
    if (found === undefined) throw invalidParameter(name, `must be ${choices.join(' or ')}`);
    return found;
  });
}

/** Seconds, or an ISO 8601 duration of a fixed length, as ms. */
export const duration = durationOr('');

/** The same, or `none`. */
export const durationOrNone: ParameterType<number | 'none'> = {
  text: (name, text) => (text === 'none' ? 'none' : unlessNone.text(name, text)),
  json: (name, value) => (value === 'none' ? 'none' : unlessNone.json(name, value)),
};

const unlessNone = durationOr(', or none');

/** @param more what else the refusal says is allowed */
function durationOr(more: string): ParameterType<number> {
  return {
    text: (name, text) => fixed(name, more, () => parseIntervalText(text)),
    json: (name, value) => fixed(name, more, () => parseIntervalJson(value)),
  };
}

function fixed(name: string, more: string, parse: () => { readonly ms: number | null }): number {
  let ms: number | null = null;
  try {
    ({ ms } = parse());
  } catch (error) {
    if (!(error instanceof DalgaError)) throw error;
  }
  if (ms !== null) return ms;
  throw invalidParameter(
    name,
    `must be a whole number of seconds from 1 to ${INTERVAL_LIMIT}, or an ISO 8601 duration of hours, minutes and seconds such as PT5M${more}`,
  );
}

/** @param limit bytes of UTF-8. @param pattern what it must match, and in words to follow "must be" */
export function string(limit: number, pattern?: { readonly match: RegExp; readonly rule: string }) {
  return textual((name, text) => {
    // A half of a surrogate pair has no UTF-8.
    if (/\p{Surrogate}/u.test(text)) throw invalidParameter(name, 'is not well-formed Unicode');
    const length = Buffer.byteLength(text);
    if (length > limit) throw invalidParameter(name, `has ${length} bytes of UTF-8: at most ${limit}`);
    if (pattern !== undefined && !pattern.match.test(text))
      throw invalidParameter(name, `must be ${pattern.rule}`);
    return text;
  });
}

/** Several strings: a list in JSON, with separators in between in text. */
export function list(
  separator: string,
  limit: number,
  of: ParameterType<string>,
): ParameterType<readonly string[]> {
  const check = (name: string, values: readonly string[]): readonly string[] => {
    if (values.length > limit) throw invalidParameter(name, `has ${values.length} entries: at most ${limit}`);
    return values;
  };
  return {
    text: (name, text) =>
      check(name, text === '' ? [] : text.split(separator)).map((part) => of.text(name, part.trim())),
    json: (name, value) => {
      if (!Array.isArray(value) || value.some((part) => typeof part !== 'string'))
        throw invalidParameter(name, 'must be a list of strings');
      return check(name, value).map((part) => of.json(name, part));
    },
  };
}

/** JSON, also in text. */
export function json<T>(check: (value: unknown) => T): ParameterType<T> {
  return {
    text: (name, text) => {
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        throw invalidParameter(name, 'must be JSON');
      }
      return check(value);
    },
    json: (_name, value) => check(value),
  };
}
