import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * A child process that never outlives this one.
 *
 * It runs in a process group of its own, so that Ctrl-C in a terminal reaches only us and we can end things in
 * order. Because nothing in this process can run after a SIGKILL, a small shell watches over each child: it
 * holds the other end of a pipe of ours, and when that closes without the word `done` (we ended, however that
 * came about) it ends the child's group, with SIGKILL after 10 s.
 */
export type OwnedProcess = {
  readonly pid: number;
  /** Resolves when the process has ended, with how: `exit code 1`, `SIGKILL`. Never rejects. */
  readonly exited: Promise<string>;
  running(): boolean;
  /** Sends a signal to the process and its group; nothing happens when it has ended. */
  signal(signal: NodeJS.Signals): void;
  /** Sends `signal`, waits for the end, and sends SIGKILL after `deadline` ms. */
  end(signal?: NodeJS.Signals, deadline?: number): Promise<void>;
  /** Lets this process end although the child still runs; it then ends the child. */
  unref(): void;
};

export type OwnedProcessOptions = {
  env: NodeJS.ProcessEnv;
  cwd?: string;
  /** File descriptor that takes standard output and standard error. */
  output: number;
};

const WATCH = `
read -r word
[ "$word" = done ] && exit 0
kill -s TERM -- "-$0" 2>/dev/null
kill -s CONT -- "-$0" 2>/dev/null
tries=0
while kill -s 0 -- "-$0" 2>/dev/null && [ "$tries" -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
kill -s KILL -- "-$0" 2>/dev/null
exit 0
`;

/** Starts a program. Rejects when it cannot be started at all, with the system's error (ENOENT, EACCES). */
export async function startOwned(
  command: string,
  args: readonly string[],
  options: OwnedProcessOptions,
): Promise<OwnedProcess> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ['ignore', options.output, options.output],
  });
  await once(child, 'spawn');
  const pid = child.pid!;
  let running = true;
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signalName) => {
      running = false;
      resolve(signalName ?? `exit code ${code}`);
    });
  });
  watchOver(child);

  const signal = (name: NodeJS.Signals): void => {
    if (!running) return;
    try {
      process.kill(-pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  const end = async (name: NodeJS.Signals = 'SIGTERM', deadline = 30_000): Promise<void> => {
    if (!running) return;
    child.ref();
    signal(name);
    signal('SIGCONT'); // one that a test has frozen would not see SIGTERM
    const timer = setTimeout(() => signal('SIGKILL'), deadline);
    await exited;
    clearTimeout(timer);
  };
  return { pid, exited, running: () => running, signal, end, unref: () => child.unref() };
}

/** Ends the group of this child, which leads it (`detached`), when this process ends, however that comes about. */
export function watchOver(child: ChildProcess): void {
  const watcher = spawn('/bin/sh', ['-c', WATCH, String(child.pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watcher.on('error', () => {});
  watcher.stdin.on('error', () => {});
  child.once('exit', () => watcher.stdin.end('done\n'));
  // Only the child itself keeps this process alive.
  watcher.unref();
  (watcher.stdin as unknown as { unref(): void }).unref();
}
