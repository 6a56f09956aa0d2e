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
