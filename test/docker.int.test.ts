import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { freePorts } from '../src/quickstart/free-port.ts';
import { build, readDocker } from './docker-steps.ts';
import { testMysql, testRabbitmq } from './helpers/servers.ts';

const project = fileURLToPath(new URL('../../', import.meta.url));

// Packages are installed twice, and the program is compiled.
t.setTimeout(300_000);

/** Outside of the checkout, so that no package of it can be found from there. */
const scratch = mkdtempSync(join(tmpdir(), 'dalga-image-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

const image = build({
  ...readDocker(project),
  context: project,
  scratch,
  env: { HOME: process.env.HOME ?? scratch, npm_config_prefer_offline: 'true' },
});
const cwd = join(image.root, image.workdir);

type Env = Readonly<Record<string, string>>;

/** A command of the image, which must be `node`: that of this machine. */
function command([program, ...args]: readonly string[], env: Env) {
  if (program !== 'node') throw new Error(`the image runs ${program}`);
  return { args, options: { cwd, env: { ...image.env, ...env } } };
}

function output(words: readonly string[], env: Env = {}): Promise<{ code: unknown; stdout: string }> {
  const { args, options } = command(words, env);
  return new Promise((resolve) => {
    execFile(process.execPath, args, options, (error, stdout) => resolve({ code: error?.code ?? 0, stdout }));
  });
}

/** Resolves when a line of the log says that the server listens; rejects with all it said when it ends first. */
async function listening(child: ChildProcess): Promise<void> {
  let said = '';
  child.stderr?.on('data', (data) => {
    said += data;
  });
  const lines = createInterface({ input: child.stdout! });
  const heard = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      said += `${line}\n`;
      if (line.includes('listening on')) resolve();
    });
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`ended with ${code}:\n${said}`);
  });
  await Promise.race([heard, ended]);
}

t.test('the image has the program, and no more packages than it needs', async (t) => {
  const { version } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { version: string };
  t.strictSame(await output([...image.entrypoint, '-version']), { code: 0, stdout: `dalga ${version}\n` });
  const help = await output([...image.entrypoint, '-h']);
  t.equal(help.code, 0);
  t.match(help.stdout, 'DALGA_MYSQL_HOST');
  t.notOk(existsSync(join(cwd, 'node_modules/typescript')), 'nothing that only the build needs');
  t.notOk(existsSync(join(cwd, 'dist/test')), 'no tests');
  t.notOk(existsSync(join(cwd, 'src')), 'no sources');
});

t.test('the server starts from the image, is healthy, and stops at SIGTERM', async (t) => {
  const mysql = await testMysql();
  t.teardown(mysql.close);
  const rabbitmq = await testRabbitmq();
  t.teardown(rabbitmq.close);
  const [port] = (await freePorts(1)).map(String) as [string];
  const { args, options } = command(image.entrypoint, {
    DALGA_HTTP_PORT: port,
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
    DALGA_CREATE_TABLE_AT_START: 'true',
  });
  const child = spawn(process.execPath, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  await listening(child);
  t.equal((await output(image.healthcheck, { DALGA_HTTP_PORT: port })).code, 0, 'the health check passes');
  child.kill('SIGTERM');
  t.strictSame(await exited, [0, null]);
  t.equal((await output(image.healthcheck, { DALGA_HTTP_PORT: port })).code, 1, 'the health check fails');
});
