import type { Readable, Writable } from 'node:stream';
import { DalgaClient } from '../client/client.ts';
import { monotonicNow } from '../clock.ts';
import { COMMANDS, runJobCommand } from './job-commands.ts';
import { createProgress } from './progress.ts';
import { exportFile, importFile, TransferError } from './transfer.ts';

/** What a command of the client side touches. */
export type CommandWorld = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable & { readonly isTTY?: boolean };
};

const DEFAULT_URL = 'http://127.0.0.1:34006';

/** 0: done. 1: not all of it. 2: it could not be done. */
const DONE = 0;
const PARTLY = 1;
const REFUSED = 2;

const TRANSFER_USAGE = [
  'usage: dalga import FILE    sends a file of jobs, a line of NDJSON each (- for standard input)',
  '       dalga export [FILE]  writes all jobs in that form (standard output by default)',
  `The server is DALGA_URL, ${DEFAULT_URL} by default.`,
];

/** Whether the command line is one of a client's commands, and not of the server. */
export function isClientCommand(args: readonly string[]): boolean {
  const [name] = args;
  return name !== undefined && COMMAND_NAMES.includes(name);
}

export const COMMAND_NAMES: readonly string[] = [...Object.keys(COMMANDS), 'import', 'export'];

/** Runs one of a client's commands, which use the public HTTP API only. @returns the exit code */
export async function runClientCommand(args: readonly string[], world: CommandWorld): Promise<number> {
  const { env, stdin, stdout, stderr } = world;
  const [name, ...rest] = args;
  if (Object.hasOwn(COMMANDS, name!)) return runOnJobs(name!, rest, world);
  const say = (line: string) => stderr.write(`dalga: ${line}\n`);
  const [command, file = command === 'export' ? '-' : undefined, ...others] = args;
  if (file === undefined || others.length > 0 || (file.startsWith('-') && file !== '-')) {
    stderr.write(`${TRANSFER_USAGE.join('\n')}\n`);
    return file === '-h' || file === '--help' ? DONE : REFUSED;
  }
  const url = parseUrl(env.DALGA_URL || DEFAULT_URL);
  if (url === null) {
    say(`DALGA_URL must be a URL such as ${DEFAULT_URL}`);
    return REFUSED;
  }
  const options = { url, file, stdin, stdout, progress: createProgress(stderr, monotonicNow), say };
  try {
    if (command === 'import') return (await importFile(options)) ? DONE : PARTLY;
    await exportFile(options);
    return DONE;
  } catch (error) {
    options.progress.end();
    if (!(error instanceof TransferError)) throw error;
    say(error.message);
    return REFUSED;
  }
}

function runOnJobs(
  name: string,
  args: readonly string[],
  { env, stdout, stderr }: CommandWorld,
): Promise<number> {
  const say = (line: string) => stderr.write(`dalga: ${line}\n`);
  const url = parseUrl(env.DALGA_URL || DEFAULT_URL);
  if (url === null) {
    say(`DALGA_URL must be a URL such as ${DEFAULT_URL}`);
    return Promise.resolve(REFUSED);
  }
  const { isTTY = false, columns } = stdout as { isTTY?: boolean; columns?: number };
  const screen = {
    print: (text: string) => stdout.write(`${text}\n`),
    width: isTTY ? (columns ?? 80) : null,
  };
  return runJobCommand(name, args, { client: new DalgaClient({ url: url.href }), screen, say });
}

function parseUrl(text: string): URL | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && /^https?:$/.test(url.protocol) ? url : null;
}
