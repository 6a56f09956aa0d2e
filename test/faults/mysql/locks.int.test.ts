import { setTimeout as delay } from 'node:timers/promises';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import t from 'tap';
import { testMysql } from '../../helpers/servers.ts';
import { outage } from './outage.ts';
import { JOBS, startWorld, type World } from './world.ts';

const LOCK_STATE_ROW = 'SELECT * FROM dalga_state FOR UPDATE';
const [JOB = ''] = JOBS;

async function read(connection: Connection, sql: string): Promise<unknown[]> {
  const [rows] = await connection.query<RowDataPacket[][]>({ sql, rowsAsArray: true });
  return rows[0] ?? [];
}

/** Which wait for a lock the owner is in; undefined while it waits for none. */
async function waiting(observer: Connection): Promise<unknown> {
  // The server makes this table anew only when nobody has read it for 100 ms.
  await delay(120);
  const [id] = await read(
    observer,
    `SELECT CONCAT(trx_id, ' ', trx_wait_started) FROM information_schema.innodb_trx, dalga_state
      WHERE trx_state = 'LOCK WAIT' AND trx_mysql_thread_id = owner_connection`,
  );
  return id;
}

function lockJob(client: Connection, world: World): Promise<unknown> {
  return client.query('SELECT * FROM dalga WHERE routing_key = ? AND job = ? FOR UPDATE', [world.queue, JOB]);
}

t.test('a lock wait timeout, and a deadlock', { timeout: 120_000 }, async (t) => {
  const database = await testMysql();
  t.teardown(database.close);
  const world = await startWorld(t, { ...database, table: 'dalga' });
  const [client, observer] = [await database.connect(), await database.connect()];
  t.teardown(() => Promise.all([client.end(), observer.end()]));

  /** Asks for a job whose row is locked until the owner's transaction has waited in vain, and was run again. */
  async function putPastTimeout(): Promise<number> {
    await client.beginTransaction();
    await lockJob(client, world);
    const asked = world.put(JOB);
    let answered = false;
    void asked.finally(() => {
      answered = true;
    });
    const waits = new Set<unknown>();
    await world.until('the transaction was run again', async () => {
      waits.add(await waiting(observer));
      waits.delete(undefined);
      return waits.size > 1 || answered;
    });
    await client.commit();
    const { status } = await asked;
    return waits.size > 1 ? status : 0;
  }

  // On a busy machine the first wait may take all the time that a request has: then it is refused, and asked again.
  const answers: number[] = [];
  while (answers.at(-1) !== 200 && answers.length < 5) answers.push(await putPastTimeout());
  t.equal(answers.at(-1), 200, 'after a lock wait timeout');
  const from = world.logEnd;

  // Of two the one that has written less is rolled back: that is not this client.
  await client.query(
    'CREATE TABLE heavy (id INT PRIMARY KEY AUTO_INCREMENT, bytes BINARY(200)) ENGINE=InnoDB',
  );
  const deadlocks = "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'";
  const [, before] = await read(observer, deadlocks);
  await client.beginTransaction();
  await client.query(`INSERT INTO heavy (bytes) VALUES ${"(''),".repeat(1000)}('')`);
  await lockJob(client, world);
  const second = world.put(JOB);
  await world.until('the owner waits', async () => (await waiting(observer)) !== undefined);
  await client.query(LOCK_STATE_ROW);
  await client.commit();
  t.equal((await second).status, 200, 'after a deadlock');
  const [, after] = await read(observer, deadlocks);
  t.ok(Number(after) > Number(before), 'there was a deadlock');
  t.same(
    world.told(from).filter((line) => line.startsWith('MySQL takes no writes')),
    [],
    'neither is worth a word',
  );

  await outage(t, world, {
    name: 'state_row',
    async strike() {
      await client.beginTransaction();
      await client.query(LOCK_STATE_ROW);
    },
    heal: () => client.rollback(),
    away: /^MySQL takes no writes: Lock wait timeout/,
    back: /^MySQL takes writes again/,
    readable: true,
  });
  await world.judge(t);
});
