import t from 'tap';
import { outage } from './outage.ts';
import { startOwnMysql } from './own-mysql.ts';
import { startWorld } from './world.ts';

t.test('MySQL is frozen for 30 s', { timeout: 180_000 }, async (t) => {
  const server = await startOwnMysql(t);
  const world = await startWorld(t, server.mysql);
  const until = Date.now() + 30_000;
  await outage(t, world, {
    name: 'freeze',
    strike: server.freeze,
    async heal() {
      await world.ranAfter(until);
      server.thaw();
    },
  });
  await world.judge(t);
});
