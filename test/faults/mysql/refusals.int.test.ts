import type { Connection } from 'mysql2/promise';
import mysql from 'mysql2/promise';
import t from 'tap';
import { outage } from './outage.ts';
import { startOwnMysql } from './own-mysql.ts';
import { JOBS, startWorld } from './world.ts';

/** More than MySQL's smallest max_connections, 10. */
const OTHERS = 12;

t.test('MySQL becomes read-only, and has no connection left', { timeout: 120_000 }, async (t) => {
  const server = await startOwnMysql(t);
  const world = await startWorld(t, server.mysql);
  await outage(t, world, {
    name: 'read_only',
    strike: () => server.query('SET GLOBAL read_only = 1'),
    heal: () => server.query('SET GLOBAL read_only = 0'),
    away: /^MySQL takes no writes: .*read-only/,
    back: /^MySQL takes writes again/,
    readable: true,
  });

  const administrator = await server.connect();
  const others: Connection[] = [];
  t.teardown(async () => {
    for (const connection of [administrator, ...others]) connection.destroy();
  });
  const { host, port, user, password } = server.mysql;
  await outage(t, world, {
    name: 'too_many_connections',
    async strike() {
      // One that is open is not lost: the API goes on reading over it.
      t.equal((await world.ask('GET', JOBS[0]!)).status, 200);
      while (others.length < OTHERS)
        others.push(await mysql.createConnection({ host, port, user, password }));
      const [[owner]] = (await server.query('SELECT owner_connection FROM dalga_state')) as [[number]];
      await administrator.query('SET GLOBAL max_connections = 10');
      await administrator.query(`KILL ${owner}`);
      await t.rejects(mysql.createConnection({ host, port, user, password }), { code: 'ER_CON_COUNT_ERROR' });
    },
    heal: () => Promise.all(others.map((connection) => connection.end())),
    // Told is what came first: the end of the connection, where a statement was under way.
    away: /^MySQL is away: .*(Too many connections|Connection lost)/i,
    readable: true,
  });
  await world.judge(t);
});
