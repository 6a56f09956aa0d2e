import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import { freePorts } from '../src/quickstart/free-port.ts';
import { DalgaProcess, environment, type Settings, startDalga } from './helpers/dalga-process.ts';
import { type TestMysql, type TestRabbitmq, testMysql, testRabbitmq } from './helpers/servers.ts';

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** Starts a program that is to refuse. @returns its exit code and what it said */
async function refused(
  env: Record<string, string>,
  args: string[] = [],
): Promise<{ code: number | null; said: string }> {
  const process = new DalgaProcess(env, args);
  const code = await process.exited;
  return { code, said: process.stderr.trim() };
}

async function servers(
  t: Test,
): Promise<{ mysql: TestMysql; broker: TestRabbitmq; settings: Settings; port: number }> {
  const mysql = await testMysql();
  const broker = await testRabbitmq();
  t.teardown(async () => {
    await broker.close();
    await mysql.close();
  });
  const [port] = (await freePorts(1)) as [number];
  return { mysql, broker, port, settings: { mysql: { ...mysql, table: 'dalga' }, rabbitmq: broker } };
}

t.test(
  'what is wrong at the start ends in one line that names the server, the address and the setting',
  async (t) => {
    const { settings, mysql, broker, port } = await servers(t);
    const [closed] = (await freePorts(1)) as [number];
    const good = environment(settings, port);
    const cases: [string, Record<string, string>, RegExp[]][] = [
      [
        'MySQL: nobody listens',
        { DALGA_MYSQL_PORT: String(closed) },
        [/MySQL/, new RegExp(`:${closed}`), /DALGA_MYSQL_HOST/],
      ],
      [
        'MySQL: a wrong password',
        { DALGA_MYSQL_PASSWORD: 's3cr3t-wrong' },
        [/MySQL/, new RegExp(`:${mysql.port}`), /DALGA_MYSQL_PASSWORD/],
      ],
      [
        'MySQL: no such database',
        { DALGA_MYSQL_DB: 'no_such_database' },
        [/MySQL/, /no_such_database/, /DALGA_MYSQL_DB/],
      ],
      [
        'MySQL: no table',
        { DALGA_CREATE_TABLE_AT_START: 'false' },
        [/-create-table/, /DALGA_CREATE_TABLE_AT_START/],
      ],
      [
        'RabbitMQ: a wrong password',
        { DALGA_RABBITMQ_PASSWORD: 's3cr3t-wrong' },
        [/RabbitMQ/, new RegExp(`:${broker.port}`), /DALGA_RABBITMQ_PASSWORD/],
      ],
      [
        'RabbitMQ: a wrong vhost',
        { DALGA_RABBITMQ_VHOST: 'no_such_vhost' },
        [/RabbitMQ/, /no_such_vhost/, /DALGA_RABBITMQ_VHOST/],
      ],
      [
        'RabbitMQ: no such exchange',
        { DALGA_RABBITMQ_EXCHANGE: 'no_such_exchange' },
        [/RabbitMQ/, /no_such_exchange/, /DALGA_RABBITMQ_EXCHANGE/],
      ],
    ];
    for (const [name, changes, expected] of cases) {
      const { code, said } = await refused({ ...good, ...changes });
      t.equal(code, 2, `${name}: exit code`);
      t.equal(said.split('\n').length, 1, `${name}: one line`);
      for (const pattern of expected) t.match(said, pattern, name);
      t.notMatch(said, /s3cr3t/, 'no secret in it');
    }
  },
);

t.test('the HTTP address is taken', async (t) => {
  const { settings, port } = await servers(t);
  const server = createServer().listen(port, '127.0.0.1');
  t.teardown(() => server.close());
  const { code, said } = await refused(environment(settings, port));
  t.equal(code, 2);
  t.match(said, new RegExp(`127.0.0.1:${port}.*DALGA_HTTP_PORT`));
});

t.test('-create-table creates the tables and ends; the server then starts without it', async (t) => {
  const { settings, mysql, port } = await servers(t);
  const env = { ...environment(settings, port), DALGA_CREATE_TABLE_AT_START: 'false' };
  for (const time of ['first', 'second']) {
    const { code, said } = await refused(env, ['-create-table']);
    t.equal(code, 0, `the ${time} time`);
    t.equal(said, '');
  }
  const connection = await mysql.connect();
  const [tables] = await connection.query('SHOW TABLES');
  await connection.end();
  t.same((tables as Record<string, string>[]).flatMap((row) => Object.values(row)).sort(), [
    'dalga',
    'dalga_backfill',
    'dalga_instance',
    'dalga_migration',
    'dalga_state',
  ]);
  const instance = await startDalga({ ...settings, env: { DALGA_CREATE_TABLE_AT_START: 'false' } }, port);
  t.equal(await instance.process.stop(), 0);
});

t.test('RabbitMQ may come later: it says so, and waits', async (t) => {
  const { settings, port } = await servers(t);
  const [closed] = (await freePorts(1)) as [number];
  const process = new DalgaProcess({ ...environment(settings, port), DALGA_RABBITMQ_PORT: String(closed) });
  t.teardown(() => process.kill());
  await process.logged('RabbitMQ');
  await process.logged('listening');
  const url = `http://127.0.0.1:${port}`;
  await process.logged('jobs in');
  const ready = await fetch(`${url}/readyz`);
  t.equal(ready.status, 503);
  t.match(await ready.json(), { ready: false, reasons: { rabbitmq: String } });
  t.equal((await fetch(`${url}/healthz`)).status, 200);
  t.equal(
    (await fetch(`${url}/jobs/a/b?interval=60`, { method: 'PUT' })).status,
    201,
    'jobs can be scheduled meanwhile',
  );
  t.equal(await process.stop(), 0);
});

t.test('the MySQL grants and RabbitMQ permissions of the README are enough', async (t) => {
  const { settings, mysql, broker, port } = await servers(t);
  const name = broker.name('dalga').slice(0, 30);
  const admin = await mysql.connect();
  await admin.query(`CREATE USER '${name}'@'%' IDENTIFIED BY 'pass'`);
  t.teardown(async () => {
    await admin.query(`DROP USER '${name}'@'%'`);
    await admin.end();
    await broker.ctl('delete_user', name);
  });
  const [setUp, running] = [...README.matchAll(/^GRANT (.+) ON /gm)].map(([, grants]) => grants);
  const permissions = /set_permissions -p \/ dalga '(.*)' '(.*)' '(.*)'/.exec(README)!.slice(1);
  await admin.query(`GRANT ${setUp} ON ${mysql.database}.* TO '${name}'@'%'`);
  await broker.ctl('add_user', name, 'pass');
  await broker.ctl('set_permissions', '-p', broker.vhost, name, ...permissions);
  const restricted = {
    mysql: { ...settings.mysql, user: name, password: 'pass' },
    rabbitmq: { ...settings.rabbitmq, user: name, password: 'pass' },
  };
  const env = environment(restricted, port);
  t.same(await refused(env, ['-create-table']), { code: 0, said: '' });

  await admin.query(`REVOKE ALL ON ${mysql.database}.* FROM '${name}'@'%'`);
  await admin.query(`GRANT ${running} ON ${mysql.database}.* TO '${name}'@'%'`);
  const queue = broker.name('granted');
  const consumer = await broker.consume(queue);
  const again = async () =>
    startDalga({ ...restricted, env: { DALGA_CREATE_TABLE_AT_START: 'false' } }, port);
  const first = await again();
  t.teardown(() => first.process.kill());
  const put = await fetch(`${first.url}/jobs/${queue}/x?interval=1`, { method: 'PUT' });
  t.equal(put.status, 201);
  const runs = ({ process }: typeof first) =>
    consumer.take(2).catch((error: Error) => {
      throw new Error(`${error.message}: ${process.tail()}`);
    });
  await runs(first);
  await first.process.kill();
  const second = await again();
  t.teardown(() => second.process.kill());
  await runs(second);
  t.equal((await fetch(`${second.url}/jobs/${queue}/x`, { method: 'DELETE' })).status, 204);
  t.equal(await second.process.stop(), 0);
});
