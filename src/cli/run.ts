import type { Readable } from 'node:stream';
import {
  DalgaClient,
  DalgaProblem,
  DalgaUnreachable,
  ImportEnded,
  InvalidArgument,
  NotDalga,
} from '../client/client.ts';
import { nearest } from '../nearest.ts';
import { readArguments } from './arguments.ts';
import { type Command, CommandError, EXIT, UsageError } from './command.ts';
import { COMMANDS } from './commands.ts';
import { DEFAULT_URL, helpOf, overview, usageOf } from './help.ts';
import { createOutput, flushed, type Screen } from './output.ts';

/** What a command touches. */
export type World = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  readonly stdout: Screen;
  readonly stderr: Screen;
};

/** Of HTTP: the same may be done later. */
const LATER = new Set([429, 503]);

/** Whether the command line is one of the shell's commands, and not of the server: that takes flags alone. */
export function isCommand(args: readonly string[]): boolean {
  return args[0] !== undefined && args[0] !== '' && !args[0].startsWith('-');
}

/** Runs a command, over the public HTTP API only. Resolves to the exit code once all that it says has been taken. */
export async function runCommand(args: readonly string[], world: World): Promise<number> {
  const { stdout, stderr } = world;
  const unwritable = new Promise<number>((resolve) => {
    stdout.on('error', (error: NodeJS.ErrnoException) => {
      // Whoever reads may stop: `dalga list | head`.
      if (error.code === 'EPIPE') return resolve(EXIT.done);
      stderr.write(`dalga: standard output cannot be written (${error.code ?? error.message})\n`);
      resolve(EXIT.refused);
    });
  });
  const code = await Promise.race([unwritable, answer(args, world)]);
  await Promise.all([flushed(stdout), flushed(stderr)]);
  return code;
}

async function answer([name = '', ...rest]: readonly string[], world: World): Promise<number> {
  const { env, stdin, stdout, stderr } = world;
  if (name === 'help') return help(rest, world);
  const command = commandOf(name);
  if (command === undefined) return refuse(name, stderr);
  try {
    const { takes, values } = readArguments(command, rest);
    const output = createOutput(stdout, stderr, values.json === true);
    if (values.help === true) {
      await output.print(helpOf(name, command));
      return EXIT.done;
    }
    const client = new DalgaClient(serverOf(env));
    const { json, text, says, code } = await command.run({ client, takes, values, output, stdin });
    if (says !== undefined) output.say(says);
    if (output.json && json !== undefined) await output.print(JSON.stringify(json));
    const shown = output.json ? undefined : text?.();
    if (shown) await output.print(shown);
    return code ?? EXIT.done;
  } catch (error) {
    const told = explain(error, env);
    if (told === null) throw error;
    stderr.write(`dalga: ${told.message}\n`);
    if (error instanceof UsageError)
      stderr.write(`dalga: usage: ${usageOf(name, command)}; dalga help ${name} says more\n`);
    return told.code;
  }
}

async function help([name]: readonly string[], { stdout, stderr }: World): Promise<number> {
  const output = createOutput(stdout, stderr, false);
  if (name === undefined || name.startsWith('-')) {
    await output.print(overview(COMMANDS));
    return EXIT.done;
  }
  const command = commandOf(name);
  if (command === undefined) return refuse(name, stderr);
  await output.print(helpOf(name, command));
  return EXIT.done;
}

function commandOf(name: string): Command | undefined {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
}

function refuse(name: string, stderr: Screen): number {
  const meant = nearest(name, Object.keys(COMMANDS));
  const hint = meant === undefined ? '' : `: did you mean ${meant}?`;
  stderr.write(`dalga: there is no command ${name}${hint}\ndalga: dalga help lists the commands\n`);
  return EXIT.refused;
}

/** @throws CommandError */
function serverOf(env: World['env']): { url: URL; headers?: Record<string, string> } {
  const given = env.DALGA_URL || DEFAULT_URL;
  const url = URL.canParse(given) ? new URL(given) : null;
  // The value is not shown: it may hold a password.
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new CommandError(`DALGA_URL must be a URL such as ${DEFAULT_URL}`);
  const { username, password } = url;
  if (username === '' && password === '') return { url };
  url.username = '';
  url.password = '';
  return {
    url,
    headers: { authorization: `Basic ${Buffer.from(loginOf(username, password)).toString('base64')}` },
  };
}

function loginOf(username: string, password: string): string {
  try {
    return `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  } catch {
    throw new CommandError('the user or the password in DALGA_URL is not percent-encoded as it must be');
  }
}

/** The path in DALGA_URL, where there is one: what is not found is often not there, but at the root. */
function belowOf({ DALGA_URL: given = '' }: World['env']): string {
  const path = URL.canParse(given) ? new URL(given).pathname : '/';
  return path === '/' ? '' : `; DALGA_URL says that Dalga is below ${path}`;
}

/** What a person is told of an error; null for one that nobody foresaw. */
function explain(
  error: unknown,
  env: World['env'],
): { readonly message: string; readonly code: number } | null {
  if (error instanceof DalgaProblem) {
    if (error.missing) return { message: error.message, code: EXIT.missing };
    if (error.code === 'not_found') return { message: `${error.message}${belowOf(env)}`, code: EXIT.refused };
    if (!LATER.has(error.status)) return { message: error.message, code: EXIT.refused };
    return { message: `Dalga cannot do it now: ${error.message}`, code: EXIT.unreachable };
  }
  // It was there: DALGA_URL is not what is wrong.
  if (error instanceof DalgaUnreachable && error.begun)
    return { message: error.message, code: EXIT.unreachable };
  const where = env.DALGA_URL ? 'DALGA_URL says that Dalga is there' : 'set DALGA_URL to where Dalga listens';
  if (error instanceof DalgaUnreachable)
    return { message: `${error.message}: ${where}`, code: EXIT.unreachable };
  if (error instanceof NotDalga) return { message: `${error.message}: ${where}`, code: EXIT.refused };
  if (error instanceof ImportEnded) return { message: error.message, code: EXIT.unreachable };
  if (error instanceof UsageError || error instanceof CommandError || error instanceof InvalidArgument)
    return { message: error.message, code: EXIT.refused };
  return null;
}
