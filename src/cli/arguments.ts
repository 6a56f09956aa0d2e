import { parseArgs } from 'node:util';
import { nearest } from '../nearest.ts';
import { type Command, type Option, type Options, UsageError, type Values } from './command.ts';

/** Options that all commands have. */
export const COMMON: Options = {
  json: { kind: 'flag', says: 'prints JSON, for scripts' },
  help: { kind: 'flag', says: 'says what the command does (-h)' },
};

export type Arguments = { readonly takes: readonly string[]; readonly values: Values };

/** Reads what stands after the name of a command. @throws UsageError */
export function readArguments(
  { takes, optional = 0, options = {} }: Command,
  args: readonly string[],
): Arguments {
  const all = { ...options, ...COMMON };
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(all).map(([name, { kind }]) => [
        name,
        {
          type: kind === 'flag' ? ('boolean' as const) : ('string' as const),
          ...(name === 'help' ? { short: 'h' } : {}),
        },
      ]),
    ),
    allowPositionals: true,
    // What is wrong is told better here.
    strict: false,
    tokens: true,
  });
  const values: Record<string, unknown> = {};
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, rawName, value, inlineValue } = token;
    const option = Object.hasOwn(all, name) ? all[name] : undefined;
    if (option === undefined) throw new UsageError(unknown(rawName, name, Object.keys(all)));
    const list = option.kind === 'list';
    if (!list && Object.hasOwn(values, name)) throw new UsageError(`${rawName} is given twice`);
    if (inlineValue !== true && value?.startsWith('-') && value !== '-')
      throw new UsageError(`${rawName} needs a value: one that begins with - is written ${rawName}=${value}`);
    const read = readValue(rawName, option, value);
    values[name] = list ? [...((values[name] as unknown[] | undefined) ?? []), read] : read;
  }
  if (values.help !== true) checkCount(positionals, takes, optional);
  return { takes: positionals, values };
}

function readValue(name: string, { kind, value: what }: Option, value: string | undefined): unknown {
  if (kind === 'flag') {
    if (value !== undefined) throw new UsageError(`${name} takes no value`);
    return true;
  }
  if (value === undefined) throw new UsageError(`${name} needs a value: ${name} ${what}`);
  switch (kind) {
    case 'count':
      if (!/^\d+$/.test(value)) throw new UsageError(`${name} must be a whole number, and not ${value}`);
      return Number(value);
    case 'duration':
      // The API takes seconds as a number. What is neither it refuses, and says the rule.
      return /^\d+$/.test(value) ? Number(value) : value;
    case 'json':
      return readJson(name, value);
    default:
      return value;
  }
}

function readJson(name: string, value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    throw new UsageError(`${name} must be JSON, as '{"source":"feeds"}'`);
  }
}

function checkCount(given: readonly string[], takes: readonly string[], optional: number): void {
  const missing = takes[given.length];
  if (missing !== undefined && given.length < takes.length - optional)
    throw new UsageError(`${missing} is missing`);
  if (given.length > takes.length)
    throw new UsageError(
      `${given[takes.length]} is one too many: ${takes.length === 0 ? 'there is nothing to name' : `it takes ${takes.join(' ')}`}`,
    );
}

function unknown(rawName: string, name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  return `there is no option ${rawName}${meant === undefined ? '' : `: did you mean --${meant}?`}`;
}
