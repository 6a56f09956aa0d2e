import { once } from 'node:events';
import { get } from 'node:http';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { MysqlConfig } from '../../src/config.ts';
import { freePorts } from '../../src/quickstart/free-port.ts';
import type { PrivateRabbitmq } from '../../src/quickstart/private-servers.ts';
import { DalgaProcess, environment } from '../helpers/dalga-process.ts';
import { parseExposition } from '../helpers/exposition.ts';

/** How long five million jobs may take to load on a slow day, ms. */
const PATIENCE = 600_000;
/** How often it is asked whether it is ready: what a start-up time is exact to. ms */
const READY_POLL = 20;

/** A folder that gets a CPU profile of each thread of each Dalga that has run, at its end. */
const PROFILES = process.env.BENCH_PROFILES;
const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

/** What the tests' environment has and an operator's has not; the tables are there. */
const DEFAULTS = { DALGA_CREATE_TABLE_AT_START: 'false' };

export type RunOptions = {
  readonly mysql: MysqlConfig;
  readonly rabbitmq: Pick<PrivateRabbitmq, 'host' | 'port' | 'user' | 'password' | 'vhost'>;
  /** A free one unless told: a restart on the same address tells its port. */
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** A compiled program instead of Dalga's own, which composes it with a part that measures. */
  readonly program?: string;
};

export type RunningDalga = {
  readonly process: DalgaProcess;
  readonly pid: number;
  readonly port: number;
  readonly url: string;
  /** Unix ms, just before the process was started. */
  readonly startedAt: number;
  /** Resolves when GET /readyz answers 200, with the time: Unix ms. */
  ready(): Promise<number>;
  /** Samples of /metrics by name and labels, as they stand there. Some ms of the main thread: not in a tight loop. */
  metrics(): Promise<ReadonlyMap<string, number>>;
  /** SIGTERM. Resolves to whether the stop was clean: with an overload it may not be. @throws when it failed */
  stop(): Promise<boolean>;
  /** kill -9 */
  kill(): Promise<void>;
};

/** Starts Dalga as an operator does, with its default settings but for the addresses; `ready` waits for it. */
export async function runDalga({
  mysql,
  rabbitmq,
  port,
  env = {},
  program,
}: RunOptions): Promise<RunningDalga> {
  const httpPort = port ?? (await freePorts(1))[0]!;
  const url = `http://127.0.0.1:${httpPort}`;
  const startedAt = Date.now();
  const environs = environment({ mysql, rabbitmq, env: { ...DEFAULTS, ...env } }, httpPort);
  const process =
    PROFILES === undefined
      ? new DalgaProcess(environs, [], program)
      : new DalgaProcess(environs, [`--cpu-prof-dir=${resolve(PROFILES)}`, program ?? MAIN], '--cpu-prof');
  let running = true;
  void process.exited.then(() => {
    running = false;
  });
  const asked = async (path: string): Promise<{ status: number; text: string } | null> => {
    try {
      return await ask(`${url}${path}`);
    } catch {
      return null;
    }
  };
  return {
    process,
    pid: process.child.pid!,
    port: httpPort,
    url,
    startedAt,
    async ready() {
      while (Date.now() < startedAt + PATIENCE && running) {
        if ((await asked('/readyz'))?.status === 200) return Date.now();
        await delay(READY_POLL);
      }
      throw new Error(`Dalga ${running ? 'is not ready in time' : 'has ended'}\n${process.tail()}`);
    },
    async metrics() {
      const answer = await asked('/metrics');
      if (answer?.status !== 200) throw new Error(`Dalga does not answer /metrics\n${process.tail()}`);
      return parseExposition(answer.text).samples;
    },
    async stop() {
      const code = await process.stop();
      if (code !== 0 && code !== 3) throw new Error(`Dalga ended with ${code}\n${process.tail()}`);
      return code === 0;
    },
    kill: () => process.kill(),
  };
}

async function ask(url: string): Promise<{ status: number; text: string }> {
  const request = get(url);
  const [response] = await once(request, 'response');
  response.setEncoding('utf8');
  let text = '';
  for await (const part of response) text += part;
  return { status: response.statusCode, text };
}
