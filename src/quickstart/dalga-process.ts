import { closeSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from '../config.ts';
import { type OwnedProcess, startOwned } from './owned-process.ts';
import type { Servers } from './server-choice.ts';
import { openLog, waitUntilReady } from './server-start.ts';

/** A first start creates the tables, a later one loads the jobs. ms */
const READY_DEADLINE = 60_000;

/** The settings that lead to these servers. */
function serverSettings({ mysql, rabbitmq }: Servers): Record<string, string> {
  return {
    DALGA_MYSQL_HOST: mysql.host,
    DALGA_MYSQL_PORT: String(mysql.port),
    DALGA_MYSQL_USER: mysql.user,
    DALGA_MYSQL_PASSWORD: mysql.password,
    DALGA_MYSQL_DB: mysql.database,
    DALGA_RABBITMQ_HOST: rabbitmq.host,
    DALGA_RABBITMQ_PORT: String(rabbitmq.port),
    DALGA_RABBITMQ_USER: rabbitmq.user,
    DALGA_RABBITMQ_PASSWORD: rabbitmq.password,
    DALGA_RABBITMQ_VHOST: rabbitmq.vhost,
  };
}

/** Writes them to a file for a shell, which only its owner reads. */
export function writeServerSettings(file: string, servers: Servers): void {
  const quoted = (value: string) => `'${value.replaceAll("'", "'\\''")}'`;
  const lines = Object.entries(serverSettings(servers)).map(([name, value]) => `${name}=${quoted(value)}\n`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, lines.join(''), { mode: 0o600 });
}

/** The environment in which Dalga uses these servers; its other settings stay as they were given. */
function environment(config: Config, servers: Servers): NodeJS.ProcessEnv {
  const { DALGA_QUICKSTART_SECONDS, DALGA_MYSQL_PASSWORD_FILE, DALGA_RABBITMQ_PASSWORD_FILE, ...others } =
    process.env;
  return {
    ...others,
    DALGA_HTTP_HOST: config.http.host,
    DALGA_HTTP_PORT: String(config.http.port),
    DALGA_CREATE_TABLE_AT_START: 'true',
    ...serverSettings(servers),
  };
}

export type DalgaOptions = { root: string; config: Config; servers: Servers; api: string; logFile: string };

/** Starts `node dist/src/main.js` and waits until it is ready. Rejects with the end of its log. */
export async function startDalga({
  root,
  config,
  servers,
  api,
  logFile,
}: DalgaOptions): Promise<OwnedProcess> {
  mkdirSync(dirname(logFile), { recursive: true });
  const output = openLog(logFile);
  const program = join(root, 'dist', 'src', 'main.js');
  const env = environment(config, servers);
  const owned = await startOwned(process.execPath, [program], { env, cwd: root, output }).finally(() =>
    closeSync(output),
  );
  const probe = async (): Promise<void> => {
    const response = await fetch(`${api}/readyz`, { signal: AbortSignal.timeout(5000) });
    const body = await response.text();
    if (response.status !== 200) throw new Error(body);
  };
  await waitUntilReady({ name: 'Dalga', owned, logFile, probe, deadline: READY_DEADLINE });
  return owned;
}
