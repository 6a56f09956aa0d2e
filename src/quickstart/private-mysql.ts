import { execFile } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import mysql from 'mysql2/promise';
import { freePorts } from './free-port.ts';
import { startOwned } from './owned-process.ts';
import { findMysql } from './programs.ts';
import { keptPassword, openLog, retryOnPortRace, waitForFolder, waitUntilReady } from './server-start.ts';

export type PrivateMysqlOptions = {
  /** Holds the data, the log and the password. A second start with the same folder finds the data again. */
  folder: string;
  /** A free one by default. */
  port?: number;
  /** Further arguments of mariadbd. */
  args?: readonly string[];
  log?: (line: string) => void;
};

export type PrivateMysql = {
  host: '127.0.0.1';
  port: number;
  /** Has every right, GRANT OPTION too. */
  user: string;
  password: string;
  /** Exists, and is empty at first. */
  database: string;
  pid: number;
  folder: string;
  logFile: string;
  /** Resolves when the server has ended, with how: `exit code 1`, `SIGKILL`. */
  exited: Promise<string>;
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** Lets this process end without stop(); the server then ends too. */
  unref(): void;
};

const USER = 'dalga';
const DATABASE = 'dalga';
/** InnoDB may have to recover after a crash. ms */
const READY_DEADLINE = 90_000;

/**
 * Starts a MariaDB server of our own, on 127.0.0.1 only, with its default durability (a commit is on disk).
 * It ends with this process. Rejects when it is not installed, or with the end of its log when it fails.
 */
export async function startPrivateMysql(options: PrivateMysqlOptions): Promise<PrivateMysql> {
  const folder = resolve(options.folder);
  mkdirSync(folder, { recursive: true });
  await createData(folder, options.log);
  return retryOnPortRace(() => startOnce(folder, options));
}

function programs() {
  const found = findMysql();
  if (!found)
    throw new Error('mariadbd and mariadb-install-db were not found (Debian package: mariadb-server)');
  return found;
}

/** Made under another name first, so that a first start that is broken off leaves no half of a database. */
async function createData(folder: string, log?: (line: string) => void): Promise<void> {
  const data = join(folder, 'data');
  if (existsSync(data)) return;
  log?.('creating an empty MariaDB data folder');
  const unfinished = join(folder, 'data.unfinished');
  rmSync(unfinished, { recursive: true, force: true });
  await promisify(execFile)(
    programs().install,
    ['--no-defaults', `--datadir=${unfinished}`, '--skip-test-db', ...asRoot()],
    { env: environment(folder) },
  );
  renameSync(unfinished, data);
}

/** Each needs a folder of its own for temporary tables: a server that starts deletes all that it finds there. */
function environment(folder: string): NodeJS.ProcessEnv {
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary, { recursive: true });
  return { ...process.env, TMPDIR: temporary };
}

/** MariaDB refuses to run as root unless it is told so. */
function asRoot(): string[] {
  return process.getuid?.() === 0 ? ['--user=root'] : [];
}

/**
 * The install leaves only root, by Unix socket. The server runs this file at each start; with
 * --skip-name-resolve a TCP client is 127.0.0.1, never localhost.
 */
function writeInitFile(folder: string, password: string): string {
  const file = join(folder, 'init.sql');
  const statements = [
    `CREATE USER IF NOT EXISTS '${USER}'@'127.0.0.1' IDENTIFIED BY '${password}';`,
    `GRANT ALL PRIVILEGES ON *.* TO '${USER}'@'127.0.0.1' WITH GRANT OPTION;`,
    `CREATE DATABASE IF NOT EXISTS ${DATABASE};`,
  ];
  writeFileSync(file, `${statements.join('\n')}\n`, { mode: 0o600 });
  return file;
}

async function startOnce(folder: string, options: PrivateMysqlOptions): Promise<PrivateMysql> {
  const port = options.port ?? (await freePorts(1))[0]!;
  await waitForFolder(folder);
  const password = keptPassword(join(folder, 'password'));
  const logFile = join(folder, 'mysql.log');
  const output = openLog(logFile);
  const owned = await startOwned(
    // The lock lives as long as the server.
    'flock',
    [
      ...['--no-fork', '--wait', '30', join(folder, 'lock'), programs().server],
      '--no-defaults',
      `--datadir=${join(folder, 'data')}`,
      '--socket=mysql.sock', // in the data folder: a full path could be longer than a socket's name may be
      '--pid-file=mysql.pid',
      '--bind-address=127.0.0.1',
      `--port=${port}`,
      '--skip-name-resolve',
      `--init-file=${writeInitFile(folder, password)}`,
      ...asRoot(),
      ...(options.args ?? []),
    ],
    { env: environment(folder), cwd: folder, output },
  ).finally(() => closeSync(output));

  const login = { host: '127.0.0.1', port, user: USER, password, database: DATABASE } as const;
  const probe = async (): Promise<void> => {
    const connection = await mysql.createConnection({ ...login, connectTimeout: 5000 });
    await connection.end();
  };
  await waitUntilReady({ name: 'mariadbd', owned, logFile, probe, deadline: READY_DEADLINE });
  options.log?.(`MariaDB answers on 127.0.0.1:${port}`);
  return {
    ...login,
    pid: owned.pid,
    folder,
    logFile,
    exited: owned.exited,
    stop: () => owned.end(),
    kill: owned.signal,
    unref: owned.unref,
  };
}
