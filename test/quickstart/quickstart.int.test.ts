import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { freePorts } from '../../src/quickstart/free-port.ts';
import { testMysql, testRabbitmq } from '../helpers/servers.ts';

/** The checkout's folder, from the compiled file's place, dist/test/quickstart/. */
const root = fileURLToPath(new URL('../../..', import.meta.url));

const program = `
  const { quickstart } = await import(process.argv[1]);
  process.exit(await quickstart({ root: process.argv[2], step: (label, work) => work(() => {}) }));
`;

/** bootstrap.mjs would compile again, under the tests that run beside this one. */
async function runQuickstart(env: Record<string, string>): Promise<{ code: number; output: string }> {
  const compiled = join(root, 'dist', 'src', 'quickstart', 'quickstart.js');
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program, compiled, root], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [code] = (await once(child, 'close')) as [number];
  return { code, output };
}

t.test('the quickstart schedules the feeds, shows their messages, and finds them again', async (t) => {
  const [db, broker, ports] = await Promise.all([
    testMysql(),
    testRabbitmq({ ownVhost: true }),
    freePorts(1),
  ]);
  t.teardown(() => Promise.all([db.close(), broker.close()]));
  const env = {
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
    DALGA_QUICKSTART_SECONDS: '5',
  };
  const first = await runQuickstart(env);
  t.equal(first.code, 0, first.output);
  t.match(first.output, /100 jobs created, 0 kept/);
  t.match(first.output, /[1-9]\d* messages.*, lateness p50 \d+ ms, p99 \d+ ms; last: \S/);

  const second = await runQuickstart({ ...env, DALGA_QUICKSTART_SECONDS: '1' });
  t.equal(second.code, 0, second.output);
  t.match(second.output, /0 jobs created, 100 kept/);

  const refused = await runQuickstart({ ...env, DALGA_MYSQL_PASSWORD: 'wrong' });
  t.equal(refused.code, 2);
  t.match(refused.output, `MySQL at ${db.host}:${db.port} does not accept the login of user ${db.user}`);
  t.match(refused.output, 'DALGA_MYSQL_PASSWORD');
  t.notMatch(refused.output, 'wrong');
});
