import t from 'tap';
import {
  breakable,
  EVERY_MINUTE,
  type Interference,
  own,
  REPLACE,
  storeFixture,
  until,
  writesOf,
} from './store-fixture.ts';

const key = (job: string) => ({ routingKey: 'feeds', job });

/** Breaks the COMMIT that follows the next write of a job in this way. */
function atCommit(effect: 'lose-before' | 'lose-after' | 'vanish'): Interference {
  let armed: 'no' | 'written' | 'done' = 'no';
  return ({ sql }) => {
    if (sql.startsWith('INSERT INTO `jobs` ') && armed === 'no') armed = 'written';
    if (sql !== 'COMMIT' || armed !== 'written') return 'pass';
    armed = 'done';
    return effect;
  };
}

t.test('a COMMIT that was carried out, its answer lost, is found to have committed', async (t) => {
  const fixture = await storeFixture(t);
  const connect = breakable(fixture.mysql, atCommit('lose-after'));
  const { coalescer, posted, gate } = writesOf(t, fixture, await own(t, fixture, { connect }));
  const { row, created } = await coalescer.put(key('a'), EVERY_MINUTE, REPLACE);
  t.ok(created);
  t.equal(await fixture.value('SELECT COUNT(*) FROM jobs'), 1);
  t.strictSame(posted, [[{ op: 'upsert', row }]], 'it was posted once');
  t.equal(gate.open(0), row.since + 1, 'it was not run again under another stamp');
});

t.test('a COMMIT that never arrived is run again, with its stamp', async (t) => {
  const fixture = await storeFixture(t);
  const connect = breakable(fixture.mysql, atCommit('lose-before'));
  const { coalescer, posted } = writesOf(t, fixture, await own(t, fixture, { connect }));
  const { row } = await coalescer.put(key('a'), EVERY_MINUTE, REPLACE);
  t.equal(await fixture.value('SELECT COUNT(*) FROM jobs'), 1);
  t.equal(await fixture.value('SELECT since FROM jobs'), row.since);
  t.equal(posted.length, 1);
});

t.test('a session that lives on at the server, its transaction open, is killed first', async (t) => {
  const fixture = await storeFixture(t);
  const connect = breakable(fixture.mysql, atCommit('vanish'));
  const { coalescer, posted } = writesOf(t, fixture, await own(t, fixture, { connect }));
  const connection = await fixture.value('SELECT owner_connection FROM jobs_state');
  await coalescer.put(key('a'), EVERY_MINUTE, REPLACE);
  t.equal(await fixture.value('SELECT COUNT(*) FROM jobs'), 1);
  t.equal(posted.length, 1);
  t.not(await fixture.value('SELECT owner_connection FROM jobs_state'), connection);
});

t.test('a connection lost in the middle of a transaction is only a new attempt', async (t) => {
  const fixture = await storeFixture(t);
  let losses = 1;
  const reasons: (string | null)[] = [];
  const connect = breakable(fixture.mysql, ({ sql }) =>
    sql.startsWith('INSERT INTO `jobs` ') && losses-- > 0 ? 'vanish' : 'pass',
  );
  const owned = await own(t, fixture, { connect, onConnection: (reason) => reasons.push(reason) });
  const { coalescer, posted } = writesOf(t, fixture, owned);
  await coalescer.put(key('a'), EVERY_MINUTE, REPLACE);
  t.equal(posted.length, 1);
  t.match(reasons, [String, null], 'MySQL was away, and is back');
});

t.test(
  'while the outcome cannot be found out it is unknown, and a batch that did commit is applied',
  async (t) => {
    const fixture = await storeFixture(t);
    let away = false;
    const lose = atCommit('lose-after');
    const inner = breakable(fixture.mysql, (statement, session) => {
      const effect = lose(statement, session);
      if (effect === 'lose-after') away = true;
      return effect;
    });
    const connect = async () => {
      if (away) throw Object.assign(new Error('refused by the test'), { code: 'ECONNREFUSED' });
      return inner();
    };
    const owned = await own(t, fixture, { connect, lease: 30_000 });
    const { coalescer, posted, gate } = writesOf(t, fixture, owned);
    const stamps: number[] = [];
    const open = gate.open.bind(gate);
    gate.open = (now) => {
      stamps.push(open(now));
      return stamps.at(-1)!;
    };
    const unknown = t.rejects(coalescer.put(key('a'), EVERY_MINUTE, REPLACE), { code: 'outcome_unknown' });
    await until(async () => away);
    await t.rejects(coalescer.put(key('b'), EVERY_MINUTE, REPLACE), { code: 'database_unavailable' });
    await unknown;
    gate.report({
      acknowledged: 0,
      frontier: Number.MAX_SAFE_INTEGER,
      exceptions: new Uint8Array(),
      settledCount: 1,
    });
    t.equal(gate.take()?.watermark, stamps[0], 'its stamp holds the watermark all the while');
    gate.finished(false);
    t.equal(posted.length, 0);
    away = false;
    await until(async () => posted.length > 0);
    t.equal(posted.length, 1);
    t.equal(await fixture.value('SELECT COUNT(*) FROM jobs'), 1, 'the refused one was not written');
  },
);

t.test('while MySQL is away a request is refused after a bounded wait, and later ones succeed', async (t) => {
  const fixture = await storeFixture(t);
  let away = false;
  const inner = breakable(fixture.mysql, () => (away ? 'lose-before' : 'pass'));
  const connect = async () => {
    if (away) throw Object.assign(new Error('refused by the test'), { code: 'ECONNREFUSED' });
    return inner();
  };
  const { coalescer, posted } = writesOf(t, fixture, await own(t, fixture, { connect, lease: 30_000 }));
  away = true;
  await t.rejects(coalescer.put(key('a'), EVERY_MINUTE, REPLACE), { code: 'database_unavailable' });
  t.equal(posted.length, 0);
  away = false;
  await coalescer.put(key('b'), EVERY_MINUTE, REPLACE);
  t.equal(await fixture.value('SELECT COUNT(*) FROM jobs'), 1);
});

t.test('an owner whose epoch has passed writes nothing any more', async (t) => {
  const fixture = await storeFixture(t);
  let fenced = 0;
  const owned = await own(t, fixture, { onFenced: () => fenced++ });
  const { coalescer, posted } = writesOf(t, fixture, owned);
  await coalescer.put(key('a'), EVERY_MINUTE, REPLACE);
  await fixture.query("UPDATE jobs_state SET epoch = epoch + 1, owner = 'another'");
  const batch = await fixture.value('SELECT batch FROM jobs_state');
  await t.rejects(coalescer.put(key('b'), EVERY_MINUTE, REPLACE), { code: 'not_owner' });
  await t.rejects(coalescer.put(key('c'), EVERY_MINUTE, REPLACE), { code: 'not_owner' });
  t.equal(fenced, 1);
  t.equal(posted.length, 1);
  t.equal(await fixture.value('SELECT COUNT(*) FROM jobs'), 1);
  t.equal(await fixture.value('SELECT batch FROM jobs_state'), batch);
});
