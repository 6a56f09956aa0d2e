import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { loadConfig } from '../../src/config.ts';
import { freePorts } from '../../src/quickstart/free-port.ts';
import { chooseServers } from '../../src/quickstart/server-choice.ts';
import type { Running } from '../../src/quickstart/server-start.ts';
import { testMysql, testRabbitmq } from '../helpers/servers.ts';

/** The checkout's folder, from the compiled file's place, dist/test/quickstart/. */
const root = fileURLToPath(new URL('../../..', import.meta.url));

const program = `
  const { quickstart } = await import(process.argv[1]);
  process.exit(await quickstart({ root: process.argv[2], step: (label, work) => work(() => {}) }));
`;

type Run = { readonly folder?: string; readonly onOutput?: (output: string) => void };

/** bootstrap.mjs would compile again, under the tests that run beside this one. */
async function runQuickstart(
  env: Record<string, string>,
  { folder = root, onOutput = () => {} }: Run = {},
): Promise<{ code: number; output: string }> {
  const compiled = join(root, 'dist', 'src', 'quickstart', 'quickstart.js');
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program, compiled, folder], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Ends what the quickstart has started, too: each server is watched from outside.
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      onOutput(output);
    });
  }
  const [code] = (await once(child, 'close')) as [number];
  return { code, output };
}

/** A database and a vhost of the test's own, and the settings that name them. */
async function serversOfOwn(t: Test): Promise<Record<string, string>> {
  const [db, broker, ports] = await Promise.all([
    testMysql(),
    testRabbitmq({ ownVhost: true }),
    freePorts(1),
  ]);
  t.teardown(() => Promise.all([db.close(), broker.close()]));
  return {
    DALGA_HTTP_PORT: String(ports[0]),
    DALGA_MYSQL_HOST: db.host,
    DALGA_MYSQL_PORT: String(db.port),
    DALGA_MYSQL_USER: db.user,
    DALGA_MYSQL_PASSWORD: db.password,
    DALGA_MYSQL_DB: db.database,
    DALGA_RABBITMQ_HOST: broker.host,
    DALGA_RABBITMQ_PORT: String(broker.port),
    DALGA_RABBITMQ_USER: broker.user,
    DALGA_RABBITMQ_PASSWORD: broker.password,
    DALGA_RABBITMQ_VHOST: broker.vhost,
  };
}

t.test('the quickstart schedules the feeds, shows their messages, and finds them again', async (t) => {
  const env: Record<string, string> = { ...(await serversOfOwn(t)), DALGA_QUICKSTART_SECONDS: '5' };
  const first = await runQuickstart(env);
  t.equal(first.code, 0, first.output);
  t.match(first.output, /100 jobs created, 0 kept/);
  t.match(first.output, /[1-9]\d* messages.*, lateness p50 \d+ ms, p99 \d+ ms; last: \S/);

  const second = await runQuickstart({ ...env, DALGA_QUICKSTART_SECONDS: '1' });
  t.equal(second.code, 0, second.output);
  t.match(second.output, /0 jobs created, 100 kept/);

  const refused = await runQuickstart({ ...env, DALGA_MYSQL_PASSWORD: 'wrong' });
  t.equal(refused.code, 2);
  t.match(
    refused.output,
    `MySQL at ${env.DALGA_MYSQL_HOST}:${env.DALGA_MYSQL_PORT} cannot be used as user ${env.DALGA_MYSQL_USER}`,
  );
  t.match(refused.output, 'DALGA_MYSQL_PASSWORD');
  t.notMatch(refused.output, 'wrong');
});

/** A folder that looks like the checkout, so that the logs are this test's alone. */
function checkout(t: Test): string {
  const folder = t.testdir();
  for (const name of ['dist', 'config']) symlinkSync(join(root, name), join(folder, name));
  return folder;
}

t.test('when Dalga dies under it, it says so and ends, and the log of that run is kept', async (t) => {
  const env = await serversOfOwn(t);
  const folder = checkout(t);
  const logFile = join(folder, '.private', 'quickstart', 'dalga.log');
  let killed = 0;
  const onOutput = (output: string) => {
    if (killed !== 0 || !output.includes('100 jobs created')) return;
    killed = Number(/"pid":(\d+)/.exec(readFileSync(logFile, 'utf8'))![1]);
    process.kill(killed, 'SIGKILL');
  };
  const { code, output } = await runQuickstart(env, { folder, onOutput });
  t.equal(code, 1, output);
  t.match(
    output,
    /\nDalga has ended by itself \(SIGKILL\), and the quickstart ends with it\. The data stays/,
  );
  t.match(output, `the end of ${logFile}:\n`);

  const again = await runQuickstart({ ...env, DALGA_QUICKSTART_SECONDS: '1' }, { folder });
  t.equal(again.code, 0, again.output);
  t.match(readFileSync(`${logFile}.1`, 'utf8'), `"pid":${killed},`);
  t.notMatch(readFileSync(logFile, 'utf8'), `"pid":${killed},`);
});

t.test('a server of its own is watched, with its log', async (t) => {
  const root = checkout(t);
  const env = await serversOfOwn(t);
  const [closed] = await freePorts(1);
  const { config } = loadConfig({ env: { ...env, DALGA_MYSQL_PORT: String(closed) }, args: [] });
  const stops: (() => Promise<void>)[] = [];
  const watched: Running[] = [];
  t.teardown(() => Promise.all(stops.map((stop) => stop())));
  const servers = await chooseServers({
    root,
    config,
    given: new Map(),
    step: (_label, work) => work(() => {}),
    atEnd: (stop) => stops.push(stop),
    watch: (running) => watched.push(running),
  });
  t.not(servers.mysql.port, closed, 'a MySQL of its own, since nothing was said about one');
  t.match(watched, [{ name: 'MySQL' }], 'RabbitMQ was there');
  const folder = join(root, '.private', 'quickstart', 'mysql');
  t.equal(watched[0]!.logFile, join(folder, 'mysql.log'));
  process.kill(Number(readFileSync(join(folder, 'data', 'mysql.pid'), 'utf8')), 'SIGKILL');
  t.equal(await watched[0]!.exited, 'SIGKILL');
});
