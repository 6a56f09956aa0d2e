import { DalgaError } from '../../errors.ts';
import { nearest } from '../../nearest.ts';
import { type Body, duplicateParameter, forEachBodyParameter } from './body.ts';
import type { ParameterType } from './parameter-types.ts';
import { forEachPair, shorten } from './request-target.ts';

/** The parameters that a query string may have, by their names. */
export type QueryTypes = Readonly<Record<string, ParameterType<unknown>>>;

/** What was read; absent where it was not named. */
export type QueryValues<T extends QueryTypes> = {
  readonly [Name in keyof T]?: T[Name] extends ParameterType<infer Value> ? Value : never;
};

/**
 * Reads a query string of the call `taker`.
 *
 * @param elsewhere what the call takes in another place, as a refusal tells it after the names
 * @throws DalgaError that names the parameter and the rule
 */
export function readQuery<T extends QueryTypes>(
  taker: string,
  query: string,
  types: T,
  elsewhere = '',
): QueryValues<T> {
  return readCall(taker, query, undefined, types, elsewhere);
}

/** The same of a call that takes its parameters in the body too. */
export function readCall<T extends QueryTypes>(
  taker: string,
  query: string,
  body: Body | undefined,
  types: T,
  elsewhere = '',
): QueryValues<T> {
  const values: Record<string, unknown> = {};
  const read = (kind: 'text' | 'json') => (name: string, value: unknown) => {
    if (!Object.hasOwn(types, name)) throw unknown(taker, name, Object.keys(types), elsewhere);
    if (Object.hasOwn(values, name)) throw duplicateParameter(name);
    values[name] = types[name]![kind](name, value as string);
  };
  forEachPair(query, read('text'));
  if (body !== undefined) forEachBodyParameter(body, read(body.kind === 'json' ? 'json' : 'text'));
  return values as QueryValues<T>;
}

function unknown(taker: string, name: string, names: readonly string[], elsewhere: string): DalgaError {
  const parameter = shorten(name);
  const meant = nearest(parameter.toLowerCase(), names);
  const taken = names.length === 0 ? 'no parameters' : names.join(', ');
  const rule = meant === undefined ? `${taker} takes ${taken}${elsewhere}` : `did you mean ${meant}?`;
  return new DalgaError('unknown_parameter', `${parameter} is not known: ${rule}`, { parameter });
}
