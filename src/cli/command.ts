import type { Readable } from 'node:stream';
import type { DalgaClient } from '../client/client.ts';
import type { Output } from './output.ts';

/** A command of the shell: what it takes, what it does, and what it shows. They are put together in commands.ts. */
export type Command = {
  /** What stands after its name, in capitals where it is the user's: `['ROUTING_KEY', 'JOB']`. */
  readonly takes: readonly string[];
  /** How many of those may be left out. */
  readonly optional?: number;
  readonly does: string;
  readonly options?: Options;
  /** Command lines, without `dalga` before them. */
  readonly examples: readonly string[];
  /** @throws UsageError, CommandError, and what the client throws */
  run(invocation: Invocation): Promise<Outcome>;
};

/** The options of a command, by their names without hyphens before them. */
export type Options = Readonly<Record<string, Option>>;

export type Option = {
  /** How its value is read; a flag has none, a list is given several times. */
  readonly kind: 'flag' | 'text' | 'list' | 'count' | 'duration' | 'json';
  /** What its value is, in capitals. */
  readonly value?: string;
  readonly says: string;
};

/** The values of options, by their names. */
export type Values = Readonly<Record<string, unknown>>;

export type Invocation = {
  readonly client: DalgaClient;
  readonly takes: readonly string[];
  readonly values: Values;
  readonly output: Output;
  readonly stdin: Readable;
};

/** What there is to show: printed as JSON where that is asked for, and for a person otherwise. */
export type Outcome = {
  readonly json?: unknown;
  /** For a person: made only when it is one who asks. */
  readonly text?: () => string;
  /** What is told on standard error in any case. */
  readonly says?: string;
  /** The exit code: 0 where nothing is said. */
  readonly code?: number;
};

/** What the exit codes mean, in all commands. */
export const EXIT = {
  /** Done. */
  done: 0,
  /** There is no such job or backfill; of an import: lines were refused. */
  missing: 1,
  /** It is refused: by the command line, a file, or Dalga. Nothing was changed. */
  refused: 2,
  /** There is no answer, or Dalga cannot do it now (429, 503): try again later. */
  unreachable: 3,
} as const;

export const EXIT_CODES =
  'Exit codes: 0 done; 1 there is no such job or backfill, or an import of which lines were refused; 2 refused: the ' +
  'command line, a file, or by Dalga; 3 no answer, or Dalga cannot do it now: try again later.';

/** The command line is wrong: told with the command's usage. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** It could not be done, for a reason that is neither the command line's nor the server's. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}
