import t from 'tap';
import { startProxy } from '../../helpers/proxy.ts';
import { testMysql } from '../../helpers/servers.ts';
import { isRefused, isToldOnce, outage } from './outage.ts';
import { JOBS, startWorld } from './world.ts';

const [JOB = ''] = JOBS;

t.test('a network to MySQL that is slow, cuts, swallows and forgets', { timeout: 180_000 }, async (t) => {
  const database = await testMysql();
  const proxy = await startProxy(database);
  t.teardown(async () => {
    await proxy.close();
    await database.close();
  });
  const world = await startWorld(t, { ...database, port: proxy.port, table: 'dalga' });

  const from = world.logEnd;
  proxy.delay(25);
  t.equal((await world.put('slow')).status, 201);
  t.equal((await world.ask('GET', 'slow')).status, 200);
  await world.ranAfter(Date.now() + 1_000);
  proxy.delay(0);
  t.same(
    world.told(from).filter((line) => line.includes('did not answer')),
    [],
    'slow is not away',
  );

  await outage(t, world, {
    name: 'cut',
    strike() {
      proxy.refuse(true);
      proxy.cut();
    },
    heal: () => proxy.refuse(false),
  });
  await outage(t, world, {
    name: 'black_hole',
    strike: () => proxy.blackHole(true),
    heal: () => proxy.blackHole(false),
  });

  // The server has forgotten all connections, and new ones work: reads go on over those, after a while.
  t.equal((await world.ask('GET', JOB)).status, 200);
  const before = world.logEnd;
  proxy.halfOpen();
  const [read, write] = await Promise.all([world.ask('GET', JOB), world.put('half_open')]);
  t.equal(read.status, 200);
  if (write.status !== 201) isRefused(t, write, 'half_open');
  await world.putAtLast('after-half_open');
  isToldOnce(t, world.told(before), /^MySQL is away: MySQL did not answer/, /^MySQL is back/);
  await world.judge(t);
});
