import { readdirSync, readFileSync } from 'node:fs';
import amqp from 'amqplib';
import mysql from 'mysql2/promise';
import t from 'tap';
import { startPrivateMysql, startPrivateRabbitmq, testMysql, testRabbitmq } from '../helpers/servers.ts';

/** The processes of which the command line or the environment names the folder. */
function processesOf(folder: string): string[] {
  const mentions = (pid: string): boolean => {
    try {
      const what = ['cmdline', 'environ'].map((file) => readFileSync(`/proc/${pid}/${file}`, 'utf8'));
      return what.some((text) => text.includes(folder));
    } catch {
      return false; // ended meanwhile, or not ours
    }
  };
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && mentions(name));
}

function connectTo({ host, port, user, password, database }: Awaited<ReturnType<typeof startPrivateMysql>>) {
  return mysql.createConnection({ host, port, user, password, database });
}

t.test('a private MySQL keeps its data, and nothing of it is left after stop()', async (t) => {
  const folder = t.testdir();
  const first = await startPrivateMysql({ folder });
  t.teardown(first.stop);
  const connection = await connectTo(first);
  await connection.query('CREATE TABLE kept (id INT PRIMARY KEY)');
  await connection.query('INSERT INTO kept VALUES (7)');
  const [flush] = await connection.query('SELECT @@innodb_flush_log_at_trx_commit AS value');
  t.match(flush, [{ value: 1 }], 'a commit is durable');
  connection.destroy();
  first.kill('SIGKILL');
  await first.exited;

  const second = await startPrivateMysql({ folder, args: ['--max-connections=77'] });
  t.teardown(second.stop);
  const again = await connectTo(second);
  t.match((await again.query('SELECT id, @@max_connections AS most FROM kept'))[0], [{ id: 7, most: 77 }]);
  await again.end();
  t.not(processesOf(folder).length, 0, 'the server is seen while it runs');
  await second.stop();
  t.strictSame(processesOf(folder), []);
});

t.test('a private RabbitMQ keeps its data, and nothing of it, epmd too, is left after stop()', async (t) => {
  const folder = t.testdir();
  const login = ({
    host,
    port,
    user,
    password,
    vhost,
  }: Awaited<ReturnType<typeof startPrivateRabbitmq>>) => ({
    ...{ hostname: host, port, username: user, password, vhost },
  });
  const first = await startPrivateRabbitmq({ folder });
  t.teardown(first.stop);
  const connection = await amqp.connect(login(first));
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue('kept', { durable: true });
  channel.sendToQueue('kept', Buffer.from('seven'), { persistent: true });
  await channel.waitForConfirms();
  await connection.close();
  t.ok(processesOf(folder).some((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('epmd')));
  await first.stop();
  t.strictSame(processesOf(folder), []);

  const second = await startPrivateRabbitmq({ folder });
  t.teardown(second.stop);
  t.match(await second.ctl('list_queues', '--quiet', '--no-table-headers', 'name', 'messages'), /^kept\s1$/m);
  second.kill('SIGKILL');
  await second.exited;
  t.strictSame(processesOf(folder), [], 'its epmd goes with it when it is killed');
});

t.test('testMysql gives each test an empty database of its own', async (t) => {
  const [one, two] = await Promise.all([testMysql(), testMysql()]);
  t.not(one.database, two.database);
  const connection = await one.connect();
  await connection.query('CREATE TABLE here (id INT)');
  await connection.end();
  await one.close();
  await t.rejects(one.connect(), { code: 'ER_BAD_DB_ERROR' });
  await two.close();
});

for (const ownVhost of [false, true]) {
  t.test(`testRabbitmq consumes what is published (a vhost of its own: ${ownVhost})`, async (t) => {
    const broker = await testRabbitmq({ ownVhost });
    t.teardown(broker.close);
    const queue = broker.name();
    const consumer = await broker.consume(queue);
    const connection = await broker.connect();
    const channel = await connection.createChannel();
    for (const body of ['1', '2', '3'])
      channel.sendToQueue(queue, Buffer.from(body), { messageId: `id${body}` });
    t.match(await consumer.next(), { content: Buffer.from('1'), properties: { messageId: 'id1' } });
    t.strictSame(
      (await consumer.take(2)).map((message) => message.content.toString()),
      ['2', '3'],
    );
    await t.rejects(consumer.next(10), { message: /0 of 1 messages/ });
    await connection.close();
  });
}
