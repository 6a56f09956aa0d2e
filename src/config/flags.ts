import { nearest } from '../nearest.ts';
import { fileForm, flagOf, settingNames, settings } from './settings.ts';

/** Flags that say what to do instead of serving. */
export const actionFlags = {
  'create-table': 'Create or upgrade the tables and end',
  'import-table TABLE': 'Copy the jobs of an original Dalga from its TABLE (or DATABASE.TABLE) and end',
  'reset-watermark TIME':
    'Let the next start run what was scheduled from TIME on, such as 2026-01-31T12:00:00Z, and end: for a table ' +
    'whose watermark is ahead of the clock',
  'new-tag':
    'Begin all message_ids anew and end: for a table that was restored from a dump, beside the original',
  h: 'Print this text and end (also -help)',
  version: 'Print the version and end',
} as const;

export type Action =
  | 'serve'
  | 'create-table'
  | 'import-table'
  | 'reset-watermark'
  | 'new-tag'
  | 'help'
  | 'version';

export type Flags = {
  readonly action: Action;
  /** The value of the action's own flag: the table to import from, or the watermark. */
  readonly argument?: string;
  /** By the variable that the flag stands for, in the environment's notation. */
  readonly values: ReadonlyMap<string, string>;
  readonly errors: readonly string[];
};

/** Flag to variable; booleans need no value. */
const valueFlags = new Map<string, string>();
const booleanFlags = new Map<string, string>();
for (const name of settingNames) {
  (settings[name].type === 'boolean' ? booleanFlags : valueFlags).set(flagOf(name), name);
  if ('secret' in settings[name]) valueFlags.set(flagOf(fileForm(name)), fileForm(name));
}
const actions = new Map<string, Action>([
  ['create-table', 'create-table'],
  ['new-tag', 'new-tag'],
  ['h', 'help'],
  ['help', 'help'],
  ['version', 'version'],
]);
/** Actions that take a value, which belongs to no setting, and what it is. */
const valueActions = new Map<string, string>([
  ['import-table', 'the name of a table'],
  ['reset-watermark', 'a time such as 2026-01-31T12:00:00Z'],
] satisfies [Action, string][]);
const known = [...valueFlags.keys(), ...booleanFlags.keys(), ...actions.keys(), ...valueActions.keys()];

/**
 * Reads flags in the spellings of Go's flag package, which the original used: one dash or two, and a value behind
 * `=` or as the next argument. Of a flag given twice the last counts. No message shows what could be a value, since
 * a slip on the command line may put a password anywhere.
 */
export function parseFlags(args: readonly string[]): Flags {
  const values = new Map<string, string>();
  const errors: string[] = [];
  const asked = new Set<Action>();
  const argumentOf = new Map<Action, string>();
  const take = (name: string, variable: string | undefined, value: string) => {
    if (variable !== undefined) values.set(variable, value);
    else if (value === '') errors.push(`-${name} needs ${valueActions.get(name)}`);
    else argumentOf.set(name as Action, value);
  };

  for (let index = 0; index < args.length; index++) {
    const match = /^--?([A-Za-z][^=]*)(?:=(.*))?$/s.exec(args[index]!);
    if (match === null) {
      errors.push(`argument ${index + 1} is not a flag, nor the value of one`);
      continue;
    }
    const name = match[1]!;
    const given = match[2];
    const next = args[index + 1];
    const action = actions.get(name);
    const variable = valueFlags.get(name);
    if (action !== undefined) {
      if (given === undefined || given === 'true') asked.add(action);
      else if (given === 'false') asked.delete(action);
      else errors.push(`-${name} takes no value but =true or =false`);
    } else if (booleanFlags.has(name)) {
      values.set(booleanFlags.get(name)!, given ?? 'true');
      if (given === undefined && (next === 'true' || next === 'false')) {
        errors.push(`-${name} takes its value behind an equals sign: -${name}=${next}`);
        index++;
      }
    } else if (variable === undefined && !valueActions.has(name)) {
      const meant = nearest(name, known);
      errors.push(`unknown flag -${shown(name)}${meant === undefined ? '' : `, did you mean -${meant}?`}`);
      // What follows was most likely meant to be its value.
      if (given === undefined && next !== undefined && !next.startsWith('-')) index++;
    } else if (given !== undefined) {
      take(name, variable, given);
    } else if (next === undefined || looksLikeFlag(next)) {
      errors.push(`-${name} needs a value (a value that begins with a dash: -${name}=VALUE)`);
      if (next !== undefined && !isKnown(next)) index++;
    } else {
      take(name, variable, next);
      index++;
    }
  }
  for (const asking of argumentOf.keys()) asked.add(asking);
  const action = firstAsked(asked);
  const argument = argumentOf.get(action);
  return { action, values, errors, ...(argument === undefined ? {} : { argument }) };
}

/** Help wins over all, since it is what somebody asks for who does not get on. */
function firstAsked(asked: ReadonlySet<Action>): Action {
  const order = ['help', 'version', 'reset-watermark', 'new-tag', 'import-table', 'create-table'] as const;
  return order.find((action) => asked.has(action)) ?? 'serve';
}

function looksLikeFlag(argument: string): boolean {
  return argument.startsWith('-') && argument !== '-';
}

function isKnown(argument: string): boolean {
  return known.includes(argument.replace(/^--?/, '').replace(/=.*$/s, ''));
}

/** An unknown name may be anything that was typed: only what looks like a flag's name is repeated. */
function shown(name: string): string {
  return /^[a-z]+(-[a-z]+)*$/i.test(name) && name.length <= 40 ? name : '...';
}
