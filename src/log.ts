import { hostname } from 'node:os';
import { type Logger, pino } from 'pino';

export type Log = Logger;

/**
 * The log: one JSON object a line, on standard output, at once, from whichever thread. Secrets never go into it:
 * nothing logs a configuration as a whole.
 *
 * @param thread which thread speaks
 */
export function createLog(thread: 'main' | 'scheduler', debug: boolean): Log {
  return pino(
    {
      level: debug ? 'debug' : 'info',
      base: { pid: process.pid, host: hostname(), thread },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: 1, sync: true }),
  );
}

/** Text that a client chose, in quotes, for the words of a line: escaped, and cut after so many characters. */
export function quote(text: string, limit = 100): string {
  const characters = [...text];
  const cut = characters.length > limit ? `${characters.slice(0, limit).join('')}…` : text;
  // JSON escapes what is below a space; these (DEL, C1, directions, lone surrogates) would reach a terminal too.
  return JSON.stringify(cut).replace(
    /\p{C}/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
