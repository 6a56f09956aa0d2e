import t from 'tap';
import { openSession } from '../../../src/database/session.ts';
import { killConnection } from '../../../src/database/statements.ts';
import { createJobReader } from '../../../src/main-thread/store/job-reader.ts';
import { breakable, EVERY_MINUTE, own, REPLACE, storeFixture, writesOf } from './store-fixture.ts';

const key = (job: string) => ({ routingKey: 'feeds', job });

t.test('rows are read as they were written, many in one statement', async (t) => {
  const fixture = await storeFixture(t);
  const { coalescer } = writesOf(t, fixture, await own(t, fixture));
  const schedules = [
    EVERY_MINUTE,
    { interval: { ms: 300_000, text: 'PT5M' }, firstRun: 1_700_000_000_123 },
    { oneOff: true, firstRun: 4_000_000_000_456 },
    { oneOff: true, interval: { ms: 5_000, text: null } },
  ];
  const written = await Promise.all(
    schedules.map((schedule, index) => coalescer.put(key(`${index}`), schedule, REPLACE)),
  );
  let statements = 0;
  const connect = breakable(fixture.mysql, () => {
    statements++;
    return 'pass';
  });
  const reader = createJobReader(fixture.mysql, { connect });
  t.teardown(() => reader.close());
  const read = await Promise.all([...schedules.keys()].map((index) => reader.read(key(`${index}`))));
  t.strictSame(
    read,
    written.map(({ row }) => row),
  );
  t.equal(await reader.read(key('none')), null);
  await Promise.all(Array.from({ length: 500 }, () => reader.read(key('1'))));
  t.ok(statements < 10, `${statements} statements`);
});

t.test('a connection that died while idle is replaced, one that cannot be is told', async (t) => {
  const fixture = await storeFixture(t);
  let away = false;
  const ids: number[] = [];
  const connect = async () => {
    if (away) throw new Error('refused by the test');
    const session = await openSession(fixture.mysql);
    ids.push(session.connectionId);
    return session;
  };
  const reader = createJobReader(fixture.mysql, { connect, size: 1 });
  t.teardown(() => reader.close());
  t.equal(await reader.read(key('a')), null);
  const killer = await openSession(fixture.mysql);
  await killer.run(killConnection(ids[0]!));
  t.equal(await reader.read(key('a')), null);
  away = true;
  await killer.run(killConnection(ids[1]!));
  await t.rejects(reader.read(key('a')), { code: 'database_unavailable' });
  away = false;
  t.equal(await reader.read(key('a')), null);
  await killer.close();
});
