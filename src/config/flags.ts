import { nearest } from './nearest.ts';
import { fileForm, flagOf, settingNames, settings } from './settings.ts';

/** Flags that say what to do instead of serving. */
export const actionFlags = {
  'create-table': 'Create or upgrade the tables and end',
  'import-table TABLE': 'Copy the jobs of an original Dalga from its TABLE (or DATABASE.TABLE) and end',
  h: 'Print this text and end (also -help)',
  version: 'Print the version and end',
} as const;

export type Action = 'serve' | 'create-table' | 'import-table' | 'help' | 'version';

export type Flags = {
  readonly action: Action;
  /** The table to import from, for that action alone. */
  readonly importTable?: string;
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
  ['h', 'help'],
  ['help', 'help'],
  ['version', 'version'],
]);
/** An action that takes a value, which belongs to no setting. */
const IMPORT_TABLE = 'import-table';
const known = [...valueFlags.keys(), ...booleanFlags.keys(), ...actions.keys(), IMPORT_TABLE];

/**
 * Reads flags in the spellings of Go's flag package, which the original used: one dash or two, and a value behind
 * `=` or as the next argument. Of a flag given twice the last counts. No message shows what could be a value, since
 * a slip on the command line may put a password anywhere.
 */
export function parseFlags(args: readonly string[]): Flags {
  const values = new Map<string, string>();
  const errors: string[] = [];
  const asked = new Set<Action>();
  let importTable: string | undefined;
  const take = (name: string, variable: string | undefined, value: string) => {
    if (variable !== undefined) values.set(variable, value);
    else if (value === '') errors.push(`-${name} needs the name of a table`);
    else importTable = value;
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
    } else if (variable === undefined && name !== IMPORT_TABLE) {
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
  if (importTable !== undefined) asked.add('import-table');
  const action = firstAsked(asked);
  return { action, values, errors, ...(action === 'import-table' ? { importTable: importTable! } : {}) };
}

/** Help wins over all, since it is what somebody asks for who does not get on. */
function firstAsked(asked: ReadonlySet<Action>): Action {
  for (const action of ['help', 'version', 'import-table', 'create-table'] as const) {
    if (asked.has(action)) return action;
  }
  return 'serve';
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
