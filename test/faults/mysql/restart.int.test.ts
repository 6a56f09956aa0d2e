import t from 'tap';
import { outage } from './outage.ts';
import { startOwnMysql } from './own-mysql.ts';
import { startWorld } from './world.ts';

t.test('MySQL is stopped and started, and killed', { timeout: 120_000 }, async (t) => {
  const server = await startOwnMysql(t);
  const world = await startWorld(t, server.mysql);
  await outage(t, world, { name: 'stop', strike: server.stop, heal: () => server.start() });
  await outage(t, world, { name: 'kill', strike: server.kill, heal: () => server.start() });
  await world.judge(t);
});
