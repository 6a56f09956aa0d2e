import { createServer } from 'node:net';
import t from 'tap';
import { openSession } from '../../src/database/session.ts';
import { explainConnectionError } from '../../src/database/sql-errors.ts';
import { killConnection } from '../../src/database/statements.ts';
import { testMysql } from '../helpers/servers.ts';

const db = await testMysql();
t.teardown(db.close);
const mysql = { ...db, table: 'dalga' };
const statement = (sql: string) => ({ sql, values: [] });

t.test('the settings of a session', async (t) => {
  const session = await openSession(mysql, { lease: 10_000 });
  const { rows } = await session.run(
    statement(
      'SELECT @@wait_timeout, @@innodb_lock_wait_timeout, @@time_zone, @@autocommit, CONNECTION_ID()',
    ),
  );
  t.strictSame(rows, [[5, 1, '+00:00', 1, session.connectionId]]);
  await session.close();
  t.notOk(session.usable);
  await t.rejects(session.run(statement('SELECT 1')), { name: 'SessionLost' });
});

t.test('bytes come back as they were given, large integers exactly', async (t) => {
  const session = await openSession(mysql);
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  const { rows } = await session.run({
    sql: 'SELECT CAST(? AS BINARY), CAST(? AS UNSIGNED)',
    values: [bytes, Number.MAX_SAFE_INTEGER],
  });
  t.strictSame(new Uint8Array(rows[0]![0] as Buffer), bytes);
  t.equal(rows[0]![1], Number.MAX_SAFE_INTEGER);
  await session.close();
});

t.test('statements that go together', async (t) => {
  const session = await openSession(mysql, { lease: 10_000 });
  const observer = await openSession(mysql);
  t.teardown(() => Promise.all([session.close(), observer.close()]));
  await session.run(statement('CREATE TABLE together (id INT PRIMARY KEY, name VARCHAR(20)) ENGINE=InnoDB'));
  const count = async () => (await observer.run(statement('SELECT COUNT(*) FROM together'))).rows[0]![0];
  const insert = (id: number, name: string) => ({
    sql: 'INSERT INTO together VALUES (?, ?)',
    values: [id, name],
  });

  const results = await session.runAll([
    statement('START TRANSACTION'),
    insert(1, "a'; COMMIT; --"),
    statement('SELECT id, name FROM together'),
    statement('SELECT id FROM together WHERE id > 1'),
  ]);
  t.strictSame(
    results.map(({ rows, affectedRows }) => [rows, affectedRows]),
    [
      [[], 0],
      [[], 1],
      [[[1, "a'; COMMIT; --"]], 0],
      [[], 0],
    ],
  );
  t.equal(await count(), 0, 'a value is no statement');

  const failed = { name: 'SequenceFailed', completed: 1, cause: { errno: 1062 } };
  await t.rejects(session.runAll([insert(2, 'b'), insert(1, 'c'), statement('COMMIT')]), failed);
  t.equal(await count(), 0, 'none follows one that fails');
  t.ok(session.usable);
  const [ended] = await session.runAll([statement('COMMIT')]);
  t.strictSame(ended, { rows: [], affectedRows: 0 });
  t.equal(await count(), 2, 'those before it stay, and the transaction is open');

  await t.rejects(session.runAll([insert(3, 'd'), statement('SELECT SLEEP(20)')], 100), {
    name: 'SessionLost',
  });
  t.notOk(session.usable);
  await t.rejects(session.runAll([statement('SELECT 1')]), { name: 'SessionLost' });
  await t.rejects(observer.runAll([statement('SELECT 1'), statement('SELECT 2')]), {
    cause: { errno: 1064 },
  });
});

t.test('a statement past its deadline ends the session', async (t) => {
  const session = await openSession(mysql);
  await t.rejects(session.run(statement('SELECT SLEEP(20)'), 100), { name: 'SessionLost' });
  t.notOk(session.usable);
});

t.test('a session that the server ends is noticed, whether or not a statement runs', async (t) => {
  const [idle, busy, killer] = await Promise.all([
    openSession(mysql),
    openSession(mysql),
    openSession(mysql),
  ]);
  const running = t.rejects(busy.run(statement('SELECT SLEEP(20)')));
  await killer.run(killConnection(idle.connectionId));
  await killer.run(killConnection(busy.connectionId));
  await running;
  while (idle.usable || busy.usable) await new Promise((resolve) => setTimeout(resolve, 10));
  t.notOk(idle.usable || busy.usable);
  await killer.close();
});

t.test('what a person is told when MySQL cannot be used', async (t) => {
  const explained = async (change: Partial<typeof mysql>): Promise<string> => {
    const config = { ...mysql, ...change };
    try {
      await openSession(config, { connectTimeout: 500 });
    } catch (error) {
      return explainConnectionError(error, config).message;
    }
    throw new Error('it could connect');
  };
  const here = `MySQL at ${mysql.host}`;
  t.match(await explained({ port: 1 }), `${here}:1: nothing listens there`);
  t.match(await explained({ port: 1 }), /DALGA_MYSQL_HOST/);
  t.match(await explained({ host: 'no-such-host.invalid' }), /cannot be resolved; set DALGA_MYSQL_HOST/);
  t.match(await explained({ database: 'no_such' }), /no database 'no_such'.*DALGA_MYSQL_DB/);
  const refused = await explained({ user: 'nobody', password: 'swordfish' });
  t.match(refused, /refuses the login of user 'nobody'.*DALGA_MYSQL_USER and DALGA_MYSQL_PASSWORD/);
  t.notMatch(refused, /swordfish/);

  const mute = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => mute.once('listening', resolve));
  const { port } = mute.address() as { port: number };
  t.match(await explained({ host: '127.0.0.1', port }), `127.0.0.1:${port}`, 'a server that never greets');
  mute.close();
});
