import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/**
 * A program of the benchmark in a process of its own, so that what it costs is not ours. It answers one request at a
 * time, and ends when this process does (its channel to us closes then).
 */
export class Child<Request, Answer> {
  readonly process: ChildProcess;
  readonly #exited: Promise<never>;

  /** @param program a compiled program beside the caller: `new URL('./lean-consumer-process.js', import.meta.url)` */
  constructor(program: URL, options: { readonly execArgv?: readonly string[] } = {}) {
    this.process = fork(fileURLToPath(program), [], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [...(options.execArgv ?? [])],
    });
    this.#exited = once(this.process, 'exit').then(([code, signal]) => {
      throw new Error(`${fileURLToPath(program)} ended (${signal ?? `exit code ${code}`})`);
    });
    this.#exited.catch(() => {});
  }

  get pid(): number {
    return this.process.pid!;
  }

  /** @throws what the program has thrown, as text, or when it ends instead */
  async ask(request: Request): Promise<Answer> {
    this.process.send(request as object);
    const [{ answer, error }] = await Promise.race([once(this.process, 'message'), this.#exited]);
    if (error !== undefined) throw new Error(error);
    return answer;
  }

  /** Ends it. */
  async close(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.disconnect();
    await this.#exited.catch(() => {});
  }
}

/** The program's side: answers each request in turn, and ends the process when the other side closes. */
export function answerParent<Request, Answer>(answer: (request: Request) => Promise<Answer> | Answer): void {
  process.on('message', async (request: Request) => {
    try {
      process.send?.({ answer: await answer(request) });
    } catch (error) {
      process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
  process.on('disconnect', () => process.exit(0));
  // Ctrl-C reaches the whole group of the terminal: the parent ends us in its order.
  process.on('SIGINT', () => {});
}
