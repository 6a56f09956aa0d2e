import { once } from 'node:events';
import type { Writable } from 'node:stream';

export type Screen = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** Where a command shows what it has found. */
export type Output = {
  /** Whether it is to be read by a program. */
  readonly json: boolean;
  /** Characters of a line; null where it is no terminal: then nothing is cut, and columns are separated by tabs. */
  readonly width: number | null;
  readonly stdout: Writable;
  readonly stderr: Screen;
  /** Resolves when there is room for more. */
  print(text: string): Promise<void>;
  /** To a person, on standard error. */
  say(line: string): void;
};

export function createOutput(stdout: Screen, stderr: Screen, json: boolean): Output {
  return {
    json,
    width: stdout.isTTY === true ? (stdout.columns ?? 80) : null,
    stdout,
    stderr,
    async print(text) {
      if (!stdout.write(`${text}\n`)) await once(stdout, 'drain');
    },
    say(line) {
      stderr.write(`dalga: ${line}\n`);
    },
  };
}

/** Resolves when all that was written has left the process: a pipe takes 64 KiB, and the rest as it is read. */
export function flushed(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.errored !== null) resolve();
    else stream.write('', () => resolve());
  });
}
