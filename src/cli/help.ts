import { COMMON } from './arguments.ts';
import { type Command, EXIT_CODES } from './command.ts';

export const DEFAULT_URL = 'http://127.0.0.1:34006';

const WIDTH = 92;
const SERVER = `The server is the one at DALGA_URL, ${DEFAULT_URL} by default; a user and a password in it are sent to a proxy in front of it.`;

export type Commands = Readonly<Record<string, Command>>;

/** What `dalga help` says. */
export function overview(commands: Commands): string {
  const widest = Math.max(...Object.keys(commands).map((name) => name.length));
  return [
    'Usage: dalga COMMAND [...]     on the jobs of a running Dalga',
    '       dalga help COMMAND      says more of one',
    '       dalga -h                says how to run Dalga itself',
    '',
    ...Object.entries(commands).map(([name, { does }]) => `  ${name.padEnd(widest)}  ${does}`),
    '',
    ...wrapped(SERVER),
    ...wrapped('Tables are for a terminal; elsewhere columns are separated by tabs, and --json prints JSON.'),
    ...wrapped(EXIT_CODES),
  ].join('\n');
}

/** `dalga next ROUTING_KEY JOB [--count N] ...` */
export function usageOf(name: string, { takes, optional = 0, options = {} }: Command): string {
  const named = takes.map((what, index) => (index >= takes.length - optional ? `[${what}]` : what));
  return ['dalga', name, ...named, ...(Object.keys(options).length > 0 ? ['[options]'] : [])].join(' ');
}

/** What `dalga help COMMAND` says. */
export function helpOf(name: string, command: Command): string {
  const options = Object.entries({ ...command.options, ...COMMON }).map(
    ([option, { value, says }]): [string, string] => [
      `--${option}${value === undefined ? '' : ` ${value}`}`,
      says,
    ],
  );
  const widest = Math.max(...options.map(([option]) => option.length));
  const indent = ' '.repeat(widest + 4);
  return [
    `Usage: ${usageOf(name, command)}`,
    '',
    ...wrapped(`${command.does[0]!.toUpperCase()}${command.does.slice(1)}.`),
    '',
    ...options.flatMap(([option, says]) => {
      const [first = '', ...more] = wrapped(says, WIDTH - indent.length);
      return [`  ${option.padEnd(widest)}  ${first}`, ...more.map((line) => `${indent}${line}`)];
    }),
    '',
    ...(command.examples.length > 0
      ? ['Examples:', ...command.examples.map((line) => `  dalga ${line}`), '']
      : []),
    ...wrapped(SERVER),
    ...wrapped(EXIT_CODES),
  ].join('\n');
}

function wrapped(text: string, width = WIDTH): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return [...lines, line];
}
