import { PassThrough, type Readable, Writable } from 'node:stream';
import { runCommand } from '../../src/cli/run.ts';

export type Ended = { readonly code: number; readonly out: string; readonly err: string };

class Screen extends Writable {
  text = '';
  readonly isTTY: boolean;
  readonly columns = 80;

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

export type ShellOptions = { readonly isTTY?: boolean; readonly stdin?: Readable };

/** Runs commands against the server at this URL, as a shell does: on a terminal, or into a pipe. */
export function shell(
  url: string | undefined,
  { isTTY = false, stdin = new PassThrough() }: ShellOptions = {},
) {
  return async (...args: string[]): Promise<Ended> => {
    const stdout = new Screen(isTTY);
    const stderr = new Screen(false);
    const code = await runCommand(args, { env: { DALGA_URL: url }, stdin, stdout, stderr });
    return { code, out: stdout.text, err: stderr.text };
  };
}
