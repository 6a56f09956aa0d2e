import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { MysqlConfig, RabbitmqConfig } from '../../src/config.ts';
import { watchOver } from '../../src/quickstart/owned-process.ts';

const PROGRAM = fileURLToPath(new URL('../../src/main.js', import.meta.url));

/** How long a test waits for a signal before it fails, ms. */
const PATIENCE = 90_000;

type LogLine = { level?: string; msg?: string; [key: string]: unknown };

export type Settings = {
  readonly mysql: MysqlConfig;
  readonly rabbitmq: Omit<RabbitmqConfig, 'exchange'>;
  /** Further environment variables. */
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** A compiled program to run instead of Dalga itself: one that composes it with a part that fails. */
  readonly program?: string;
};

/** The program as a process of its own, as an operator runs it. */
export class DalgaProcess {
  readonly child: ChildProcess;
  readonly log: LogLine[] = [];
  stderr = '';
  readonly exited: Promise<number | null>;
  #waiters: { matches: (line: LogLine) => boolean; found: (line: LogLine) => void }[] = [];

  constructor(env: Record<string, string>, args: readonly string[] = [], program: string = PROGRAM) {
    this.child = spawn(process.execPath, [program, ...args], {
      env: { PATH: process.env.PATH ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    // A test that is killed leaves nothing behind.
    if (this.child.pid !== undefined) watchOver(this.child);
    this.exited = once(this.child, 'exit').then(([code]) => code as number | null);
    createInterface({ input: this.child.stdout! }).on('line', (text) => this.#hear(text));
    this.child.stderr!.on('data', (data) => {
      this.stderr += data;
    });
  }

  /** The first line of the log, past or to come, but for the first `after` ones, whose message contains the text. */
  async logged(text: string, after = 0): Promise<LogLine> {
    const matches = (line: LogLine) => line.msg?.includes(text) ?? false;
    const before = this.log.slice(after).find(matches);
    if (before !== undefined) return before;
    const line = new Promise<LogLine>((found) => this.#waiters.push({ matches, found }));
    return this.#orEnd(line, `the log line ${JSON.stringify(text)}`);
  }

  /** Resolves when GET /readyz answers 200. */
  async ready(url: string): Promise<void> {
    const poll = async () => {
      for (;;) {
        const response = await fetch(`${url}/readyz`).catch(() => null);
        if (response?.status === 200) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    await this.#orEnd(poll(), 'readiness');
  }

  /** SIGTERM. @returns the exit code */
  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM');
    return this.exited;
  }

  /** kill -9 */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  async #orEnd<T>(wanted: Promise<T>, what: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<never>((_resolve, reject) => {
      const fail = (why: string) => reject(new Error(`${why} before ${what}\n${this.tail()}`));
      timer = setTimeout(() => fail('the time ran out'), PATIENCE);
      void this.exited.then((code) => fail(`the process ended with ${code}`));
    });
    try {
      return await Promise.race([wanted, patience]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The end of what it said. */
  tail(): string {
    return `${this.log
      .slice(-20)
      .map((line) => JSON.stringify(line))
      .join('\n')}\n${this.stderr}`;
  }

  #hear(text: string): void {
    let line: LogLine;
    try {
      line = JSON.parse(text);
    } catch {
      line = { msg: text };
    }
    this.log.push(line);
    for (const waiter of this.#waiters.filter(({ matches }) => matches(line))) {
      this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
      waiter.found(line);
    }
  }
}

export type Instance = { readonly process: DalgaProcess; readonly url: string };

/** The environment of a Dalga on these servers. */
export function environment(
  { mysql, rabbitmq, env = {} }: Settings,
  httpPort: number,
): Record<string, string> {
  return {
    DALGA_HTTP_PORT: String(httpPort),
    DALGA_MYSQL_HOST: mysql.host,
    DALGA_MYSQL_PORT: String(mysql.port),
    DALGA_MYSQL_USER: mysql.user,
    DALGA_MYSQL_PASSWORD: mysql.password,
    DALGA_MYSQL_DB: mysql.database,
    DALGA_MYSQL_TABLE: mysql.table,
    DALGA_RABBITMQ_HOST: rabbitmq.host,
    DALGA_RABBITMQ_PORT: String(rabbitmq.port),
    DALGA_RABBITMQ_USER: rabbitmq.user,
    DALGA_RABBITMQ_PASSWORD: rabbitmq.password,
    DALGA_RABBITMQ_VHOST: rabbitmq.vhost,
    DALGA_CREATE_TABLE_AT_START: 'true',
    DALGA_LEASE: '5s',
    ...env,
  };
}

/** Starts the program and waits until it is ready. */
export async function startDalga(settings: Settings, httpPort: number): Promise<Instance> {
  const process = new DalgaProcess(environment(settings, httpPort), settings.args, settings.program);
  const url = `http://127.0.0.1:${httpPort}`;
  await process.ready(url);
  return { process, url };
}
