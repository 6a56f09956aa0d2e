import { execFile } from 'node:child_process';
import { closeSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import amqp from 'amqplib';
import { freePorts } from './free-port.ts';
import { type OwnedProcess, startOwned } from './owned-process.ts';
import { findRabbitmq, type RabbitmqPrograms } from './programs.ts';
import {
  keptPassword,
  openLog,
  retryOnPortRace,
  StartFailed,
  waitForFolder,
  waitUntilReady,
} from './server-start.ts';

export type PrivateRabbitmqOptions = {
  /** Holds the data, the logs, the cookie and the password. A second start with it finds the data again. */
  folder: string;
  /** The AMQP port; a free one by default. */
  port?: number;
  /** Further lines of rabbitmq.conf, such as `heartbeat = 5`. */
  conf?: readonly string[];
  log?: (line: string) => void;
};

export type PrivateRabbitmq = {
  host: '127.0.0.1';
  port: number;
  /** An administrator with every permission on the vhost. */
  user: string;
  password: string;
  vhost: '/';
  nodeName: string;
  pid: number;
  folder: string;
  logFile: string;
  /** Resolves when the broker and its epmd have ended, with how the broker did: `exit code 1`, `SIGKILL`. */
  exited: Promise<string>;
  /** What rabbitmqctl needs in its environment to reach this node, from any process: see `rabbitmqctl`. */
  ctlEnvironment: Record<string, string>;
  /** Runs rabbitmqctl on this node (about 1 s each) and resolves with its standard output. */
  ctl(...args: string[]): Promise<string>;
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** Lets this process end without stop(); the server then ends too. */
  unref(): void;
};

const USER = 'dalga';
/** The node's name is part of its data's path. Its epmd serves nobody else, so it need not be unique. */
const NODE_NAME = 'dalga@localhost';
/** It takes 7 s on an idle machine with two cores. ms */
const READY_DEADLINE = 120_000;

/**
 * Starts a RabbitMQ broker of our own, on 127.0.0.1 only. It and its epmd end with this process. Rejects when
 * it is not installed, or with the end of its log when it fails.
 */
export async function startPrivateRabbitmq(options: PrivateRabbitmqOptions): Promise<PrivateRabbitmq> {
  const folder = resolve(options.folder);
  mkdirSync(join(folder, 'log'), { recursive: true });
  const programs = findRabbitmq();
  if (!programs) throw new Error('rabbitmq-server was not found (Debian package: rabbitmq-server)');
  return retryOnPortRace(() => startOnce(folder, programs, options));
}

type Ports = { amqp: number; distribution: number; epmd: number };

/** Only ours: what a person has set for a system-wide broker must not reach this one. */
function withInherited(own: Record<string, string>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(RABBITMQ|ERL)_/.test(name));
  return { ...Object.fromEntries(inherited), ...own };
}

/** Runs rabbitmqctl with a `ctlEnvironment` and resolves with its standard output. */
export async function rabbitmqctl(ctlEnvironment: Record<string, string>, args: string[]): Promise<string> {
  const ctl = findRabbitmq()?.ctl ?? 'rabbitmqctl';
  return (await promisify(execFile)(ctl, args, { env: withInherited(ctlEnvironment) })).stdout;
}

function environment(folder: string, ports: Ports): Record<string, string> {
  return {
    HOME: folder, // the Erlang cookie is made there
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(ports.epmd),
    RABBITMQ_NODENAME: NODE_NAME,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(ports.amqp),
    RABBITMQ_DIST_PORT: String(ports.distribution),
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_SCHEMA_DIR: join(folder, 'schema'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(folder, 'config'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'advanced.config'), // there is none
    RABBITMQ_CONF_ENV_FILE: join(folder, 'rabbitmq-env.conf'), // there is none
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_PID_FILE: join(folder, 'rabbitmq.pid'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      '-start_epmd false -kernel inet_dist_use_interface {127,0,0,1} -kernel shell_history disabled',
    // The default range holds 11, fewer than may run at once.
    RABBITMQ_CTL_DIST_PORT_MIN: '35672',
    RABBITMQ_CTL_DIST_PORT_MAX: '36671',
    RABBITMQ_CTL_ERL_ARGS: '-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}',
    LANG: 'C.UTF-8', // the command line tools warn otherwise
    ERL_CRASH_DUMP: join(folder, 'log', 'erl_crash.dump'), // of the tools too, else where they were called
    detached: '1', // makes the start script replace itself with the broker, so that its pid is the broker's
  };
}

function writeConfiguration(folder: string, password: string, lines: readonly string[]): void {
  const conf = [
    `default_user = ${USER}`,
    `default_pass = ${password}`,
    'default_user_tags.administrator = true',
  ];
  writeFileSync(join(folder, 'rabbitmq.conf'), `${[...conf, ...lines].join('\n')}\n`, { mode: 0o600 });
  writeFileSync(join(folder, 'enabled_plugins'), '[].\n');
}

async function startOnce(
  folder: string,
  programs: RabbitmqPrograms,
  options: PrivateRabbitmqOptions,
): Promise<PrivateRabbitmq> {
  const [free, distribution, epmdPort] = (await freePorts(3)) as [number, number, number];
  const port = options.port ?? free;
  const password = keptPassword(join(folder, 'password'));
  writeConfiguration(folder, password, options.conf ?? []);
  const ctlEnvironment = environment(folder, { amqp: port, distribution, epmd: epmdPort });
  const env = withInherited(ctlEnvironment);
  const logFile = join(folder, 'log', 'start.log');
  await waitForFolder(folder);
  const output = openLog(logFile);
  let epmd: OwnedProcess | undefined;
  try {
    // Left to itself the broker would start epmd as a daemon, which outlives it.
    epmd = await startOwned(programs.epmd, ['-port', String(epmdPort), '-address', '127.0.0.1'], {
      env,
      output,
    });
    const epmdProbe = async (): Promise<void> => {
      await promisify(execFile)(programs.epmd, ['-port', String(epmdPort), '-names'], { env });
    };
    await waitUntilReady({ name: 'epmd', owned: epmd, logFile, probe: epmdProbe, deadline: 20_000 });
    const owned = await startOwned(
      // The lock lives as long as the broker.
      'flock',
      ['--no-fork', '--wait', '30', join(folder, 'lock'), programs.server],
      { env, cwd: folder, output },
    );
    const login = { hostname: '127.0.0.1', port, username: USER, password, vhost: '/' };
    const probe = async (): Promise<void> => {
      const connection = await amqp.connect({ protocol: 'amqp', ...login }, { timeout: 5000 });
      await connection.close();
    };
    await waitUntilReady({ name: 'rabbitmq-server', owned, logFile, probe, deadline: READY_DEADLINE });
    options.log?.(`RabbitMQ answers on 127.0.0.1:${port}`);

    const itsEpmd = epmd;
    const exited = owned.exited.then((how) => itsEpmd.end().then(() => how));
    return {
      host: '127.0.0.1',
      port,
      user: USER,
      password,
      vhost: '/',
      nodeName: NODE_NAME,
      pid: owned.pid,
      folder,
      logFile,
      exited,
      ctlEnvironment,
      ctl: (...args) => rabbitmqctl(ctlEnvironment, args),
      stop: async () => {
        await owned.end();
        await exited;
      },
      kill: owned.signal,
      unref: () => {
        owned.unref();
        itsEpmd.unref();
      },
    };
  } catch (error) {
    await epmd?.end();
    throw error instanceof StartFailed
      ? error
      : new Error('rabbitmq-server could not be started', { cause: error });
  } finally {
    closeSync(output);
  }
}
