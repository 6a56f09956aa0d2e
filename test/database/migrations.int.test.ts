import t, { type Test } from 'tap';
import type { MysqlConfig } from '../../src/config.ts';
import { migrationStatements, recordMigration, SCHEMA_VERSION } from '../../src/database/migrations.ts';
import { openSession } from '../../src/database/session.ts';
import { checkTables, createTables } from '../../src/main-thread/store/schema-check.ts';
import { testMysql } from '../helpers/servers.ts';

async function database(t: Test) {
  const db = await testMysql();
  t.teardown(db.close);
  const mysql: MysqlConfig = { ...db, table: 'dalga' };
  const session = await openSession(mysql);
  t.teardown(() => session.close());
  return { mysql, session, run: (sql: string) => session.run({ sql, values: [] }) };
}

t.test('without tables the message names the flag and the setting', async (t) => {
  const { mysql } = await database(t);
  const named = { name: 'StartupError', message: /dalga -create-table.*DALGA_CREATE_TABLE_AT_START=true/ };
  await t.rejects(checkTables(mysql), named);
});

t.test('several instances create the tables at once, and again', async (t) => {
  const { mysql, run } = await database(t);
  await Promise.all(Array.from({ length: 4 }, () => createTables(mysql)));
  const state = 'SELECT partition_id, epoch, next_id, tag FROM dalga_state';
  const { rows } = await run(state);
  t.match(rows, [[0, 0, 1, /^[0-9a-z]{4}$/]]);
  await createTables(mysql);
  await checkTables(mysql);
  t.strictSame((await run(state)).rows, rows, 'the state row stays as it is, the tag too');
  t.strictSame((await run('SELECT version FROM dalga_migration')).rows, [[1], [2], [SCHEMA_VERSION]]);
});

t.test('where they are complete nobody needs the privilege to create any', async (t) => {
  const { mysql, run } = await database(t);
  await createTables(mysql);
  const user = mysql.database;
  await run(`CREATE USER '${user}' IDENTIFIED BY 'secret'`);
  t.teardown(() => run(`DROP USER '${user}'`));
  await run(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${mysql.database}.* TO '${user}'`);
  await t.resolves(createTables({ ...mysql, user, password: 'secret' }));
});

t.test('a migration that a crash left half done is run again', async (t) => {
  const { mysql, session, run } = await database(t);
  const statements = migrationStatements('dalga');
  for (let done = 0; done <= statements.length; done++) {
    for (const statement of statements.slice(0, done)) await session.run(statement);
    await createTables(mysql);
    await checkTables(mysql);
    for (const table of ['dalga', 'dalga_state', 'dalga_instance', 'dalga_backfill', 'dalga_migration'])
      await run(`DROP TABLE ${table}`);
  }
});

t.test('tables newer than this program are refused', async (t) => {
  const { mysql, session } = await database(t);
  await createTables(mysql);
  await session.run(recordMigration('dalga', SCHEMA_VERSION + 1));
  const newer = { name: 'StartupError', message: /newer Dalga/ };
  await t.rejects(checkTables(mysql), newer);
  await t.rejects(createTables(mysql), newer);
});

t.test('a table of the same name that is something else is left alone', async (t) => {
  const { mysql, run } = await database(t);
  await run('CREATE TABLE dalga (job VARCHAR(255) PRIMARY KEY)');
  await t.rejects(createTables(mysql), { name: 'StartupError', message: /DALGA_MYSQL_TABLE/ });
  t.strictSame((await run('SELECT COUNT(*) FROM dalga')).rows, [[0]]);
});
