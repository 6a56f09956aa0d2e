import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePorts } from '../../src/quickstart/free-port.ts';
import { startDalga } from '../helpers/dalga-process.ts';
import { startPrivateMysql, testRabbitmq } from '../helpers/servers.ts';

/** A Dalga with a job each second, on a MySQL of its own. */
async function setUp(t: Test, stopTimeout: string) {
  const folder = mkdtempSync(join(tmpdir(), 'dalga-test-'));
  const mysql = await startPrivateMysql({ folder });
  const broker = await testRabbitmq();
  const [port] = (await freePorts(1)) as [number];
  const settings = {
    mysql: { ...mysql, table: 'dalga' },
    rabbitmq: broker,
    env: { DALGA_LEASE: '2s', DALGA_STOP_TIMEOUT: stopTimeout },
  };
  let instance = await startDalga(settings, port);
  t.teardown(async () => {
    instance.process.child.kill('SIGKILL');
    mysql.kill('SIGCONT');
    await mysql.stop();
    await broker.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const consumer = await broker.consume(broker.name('stop'));
  const url = `${instance.url}/jobs/${consumer.queue}/each-second?interval=1`;
  t.equal((await fetch(url, { method: 'PUT' })).status, 201);
  await consumer.take(2);
  return {
    ...{ mysql, consumer },
    process: () => instance.process,
    start: async () => {
      instance = await startDalga(settings, port);
    },
  };
}

t.test('a MySQL that is back in time gets the last checkpoint: the stop is clean', async (t) => {
  const { mysql, consumer, process, start } = await setUp(t, '30s');
  mysql.kill('SIGSTOP');
  await consumer.take(1);
  const stopped = process().stop();
  await process().logged('stopping');
  mysql.kill('SIGCONT');
  t.equal(await stopped, 0);
  await start();
  await consumer.take(2);
  const ids = consumer.messages.map(({ properties }) => properties.messageId);
  t.equal(new Set(ids).size, ids.length, 'nothing comes twice');
});

t.test('a MySQL that is not back in time: it stops all the same, and says so', async (t) => {
  const { mysql, consumer, process } = await setUp(t, '2s');
  mysql.kill('SIGSTOP');
  await consumer.take(1);
  t.equal(await process().stop(), 3);
  t.ok(process().log.some(({ msg }) => msg === 'the last checkpoint could not be written'));
  t.ok(process().log.some(({ msg }) => msg?.includes('some messages may come twice')));
});
