import t from 'tap';
import { openSession, type SqlSession } from '../../../src/database/session.ts';
import type { SqlRows, Statement } from '../../../src/database/statements.ts';
import { DalgaError } from '../../../src/errors.ts';
import type { JobKey } from '../../../src/job/job.ts';
import { breakable, EVERY_MINUTE, own, REPLACE, storeFixture, writesOf } from './store-fixture.ts';

const key = (job: string, routingKey = 'feeds'): JobKey => ({ routingKey, job });

t.test('jobs are distinct by their exact bytes, and come back as they were given', async (t) => {
  const fixture = await storeFixture(t);
  const { coalescer, posted } = writesOf(t, fixture, await own(t, fixture));
  const long = 'x'.repeat(300);
  const jobs = [
    'a',
    'A',
    'a ',
    'a  ',
    'é',
    'e\u0301',
    '😀',
    `${long}1`,
    `${long}2`,
    'x'.repeat(20_000),
    "'\\\0`",
  ];
  const rows = await Promise.all(jobs.map((job) => coalescer.put(key(job), EVERY_MINUTE, REPLACE)));
  t.ok(rows.every(({ created }) => created));
  t.equal(new Set(rows.map(({ row }) => row.id)).size, jobs.length);
  const stored = await fixture.query('SELECT id, routing_key, job FROM jobs ORDER BY id');
  t.strictSame(
    stored.map(([id, routingKey, job]) => [id, String(routingKey), String(job)]),
    rows.map(({ row }, index) => [row.id, 'feeds', jobs[index]]),
  );
  t.strictSame(posted.flat().length, jobs.length);
  const [{ row }] = rows as [(typeof rows)[0]];
  t.equal(row.job.buffer.byteLength, row.job.length, 'posting a row does not take a larger buffer along');
});

t.test('many requests share few transactions', async (t) => {
  const fixture = await storeFixture(t);
  const { coalescer, posted } = writesOf(t, fixture, await own(t, fixture));
  const before = Number(await fixture.value('SELECT batch FROM jobs_state'));
  const count = 2_500;
  const results = await Promise.all(
    Array.from({ length: count }, (_, index) => coalescer.put(key(`${index}`), EVERY_MINUTE, REPLACE)),
  );
  const after = Number(await fixture.value('SELECT batch FROM jobs_state'));
  t.ok(after - before < 30, `${after - before} transactions for ${count} requests`);
  t.equal(await fixture.value('SELECT COUNT(*) FROM jobs'), count);
  t.strictSame(
    new Set(posted.flat().map((change) => (change.op === 'upsert' ? change.row.id : 0))),
    new Set(results.map(({ row }) => row.id)),
  );
  t.equal(await fixture.value('SELECT next_id FROM jobs_state'), count + 1);
});

t.test('requests for one job compose in the order in which they came', async (t) => {
  const fixture = await storeFixture(t);
  const { coalescer, posted } = writesOf(t, fixture, await own(t, fixture));
  const one = key('one');
  const answers = await Promise.all([
    coalescer.post(one, EVERY_MINUTE),
    coalescer.put(one, EVERY_MINUTE, REPLACE),
    coalescer.put(one, EVERY_MINUTE, { onlyCreate: true }).catch((error: DalgaError) => error.code),
    coalescer.post(one, { interval: { ms: 15_000, text: 'PT15S' } }),
    coalescer.delete(one),
    coalescer.delete(one),
    coalescer.put(one, EVERY_MINUTE, { onlyCreate: true }),
  ]);
  t.match(answers, [
    null,
    { created: true, row: { version: 1 } },
    'precondition_failed',
    { row: { version: 2, schedule: { intervalMs: 15_000, intervalText: 'PT15S' } } },
    Number,
    null,
    { created: true, row: { version: 1 } },
  ]);
  t.equal(await fixture.value('SELECT COUNT(*) FROM jobs'), 1);
  t.equal(posted.flat().at(-1)?.op, 'upsert');
});

t.test('a PUT that is equal to what is stored writes nothing', async (t) => {
  const fixture = await storeFixture(t);
  const { coalescer, posted } = writesOf(t, fixture, await own(t, fixture));
  const first = await coalescer.put(key('a'), EVERY_MINUTE, REPLACE);
  const batch = await fixture.value('SELECT batch FROM jobs_state');
  const again = await coalescer.put(key('a'), EVERY_MINUTE, REPLACE);
  t.notOk(again.created);
  t.strictSame(again.row, first.row);
  t.equal(posted.length, 1);
  t.equal(await fixture.value('SELECT batch FROM jobs_state'), batch);
});

t.test('while all jobs are new nobody looks for them, and one that is there is found', async (t) => {
  const fixture = await storeFixture(t);
  const sent: string[] = [];
  // The owner's own session, whose sequences are one round trip.
  const connect = async (): Promise<SqlSession> => {
    const session = await openSession(fixture.mysql, { lease: 120_000 });
    const { run, runAll } = session;
    return Object.assign(session, {
      run: (statement: Statement, deadline?: number) => {
        sent.push(statement.sql);
        return run.call(session, statement, deadline);
      },
      runAll: (statements: readonly Statement[], deadline?: number) => {
        sent.push(...statements.map(({ sql }) => sql));
        return runAll.call(session, statements, deadline);
      },
    });
  };
  const { coalescer, posted } = writesOf(t, fixture, await own(t, fixture, { connect }));
  const looks = () => sent.filter((sql) => sql.includes('key_hash IN')).length;
  for (const job of ['a', 'b', 'c']) await coalescer.put(key(job), EVERY_MINUTE, REPLACE);
  const before = looks();
  t.ok((await coalescer.put(key('d'), EVERY_MINUTE, REPLACE)).created);
  t.equal(looks(), before);

  const every15 = { interval: { ms: 15_000, text: null } };
  const answers = await Promise.all([
    coalescer.put(key('e'), EVERY_MINUTE, REPLACE),
    coalescer.put(key('b'), every15, REPLACE),
    coalescer.put(key('c'), every15, { onlyCreate: true }).catch((error: DalgaError) => error.code),
    coalescer.put(key('a'), EVERY_MINUTE, REPLACE),
  ]);
  t.match(answers, [
    { created: true, row: { id: 5 } },
    { created: false, row: { id: 2, version: 2, schedule: { intervalMs: 15_000 } } },
    'precondition_failed',
    { created: false, row: { id: 1, version: 1 } },
  ]);
  t.equal(looks(), before + 1);
  t.equal(posted.length, 5);
  t.equal(
    await fixture.value("SELECT GROUP_CONCAT(id, '.', version ORDER BY id) FROM jobs"),
    '1.1,2.2,3.1,4.1,5.1',
  );

  // What it then learns again, If-Match does not take for granted.
  for (const job of ['f', 'g', 'h']) await coalescer.put(key(job), EVERY_MINUTE, REPLACE);
  await t.rejects(coalescer.put(key('f'), every15, { onlyCreate: false, ifMatch: ['"0.0"'] }), {
    code: 'precondition_failed',
  });
  t.equal(await coalescer.post(key('nobody'), every15), null);
  t.equal(looks(), before + 6);
});

t.test('a job that is there is looked for before a PUT of it is refused as a new one', async (t) => {
  const fixture = await storeFixture(t);
  let full = false;
  const admit = () => {
    if (full) throw new DalgaError('insufficient_memory', 'no room');
  };
  const { coalescer } = writesOf(t, fixture, await own(t, fixture), { admit });
  const ended = { ...EVERY_MINUTE, lastRun: Date.now() + 120_000, enabled: false };
  await coalescer.put(key('paused'), ended, REPLACE);
  await fixture.query(
    'UPDATE jobs SET first_run = 1000, since = 1000, options = JSON_SET(options, "$.rules.lastRun", 100000)',
  );
  const { row } = (await coalescer.post(key('paused'), { note: 'as it is stored' })) ?? {};
  t.match(row, { enabled: false, schedule: { rules: { lastRun: 100_000 } } });
  const again = { ...ended, lastRun: 100_000, note: 'as it is stored' };
  for (const job of ['a', 'b', 'c']) await coalescer.put(key(job), EVERY_MINUTE, REPLACE);
  t.notOk((await coalescer.put(key('paused'), again, REPLACE)).created);

  for (const job of ['d', 'e', 'f']) await coalescer.put(key(job), EVERY_MINUTE, REPLACE);
  full = true;
  t.notOk((await coalescer.put(key('a'), EVERY_MINUTE, REPLACE)).created);
  await t.rejects(coalescer.put(key('g'), EVERY_MINUTE, REPLACE), { code: 'insufficient_memory' });
});

t.test('ids are never given out again', async (t) => {
  const fixture = await storeFixture(t);
  const { coalescer } = writesOf(t, fixture, await own(t, fixture));
  const first = await coalescer.put(key('a'), EVERY_MINUTE, REPLACE);
  t.type(await coalescer.delete(key('a')), 'number');
  const second = await coalescer.put(key('a'), EVERY_MINUTE, REPLACE);
  t.ok(second.created);
  t.ok(second.row.id > first.row.id);
  t.ok(second.row.since > first.row.since, 'stamps grow');
  t.equal(await fixture.value('SELECT stamp FROM jobs_state'), second.row.since);
});

t.test('a statement that fails fails only the request that is at fault', async (t) => {
  const fixture = await storeFixture(t);
  // Data too long: as it would come from the server.
  const fault = Object.assign(new Error('Data too long'), { errno: 1406, sqlState: '22001' });
  const connect = breakable(fixture.mysql, ({ sql, values }) =>
    sql.startsWith('INSERT INTO `jobs` ') &&
    values.flat(2).some((value) => value instanceof Uint8Array && Buffer.from(value).toString() === 'culprit')
      ? fault
      : 'pass',
  );
  const { coalescer, posted } = writesOf(t, fixture, await own(t, fixture, { connect }));
  const names = Array.from({ length: 40 }, (_, index) => (index === 17 ? 'culprit' : `${index}`));
  const results = await Promise.allSettled(
    names.map((job) => coalescer.put(key(job), EVERY_MINUTE, REPLACE)),
  );
  const rejected = results.filter((result) => result.status === 'rejected');
  t.equal(rejected.length, 1);
  t.match(results[17], { status: 'rejected', reason: { code: 'internal' } });
  t.equal(await fixture.value('SELECT COUNT(*) FROM jobs'), 39);
  t.equal(posted.flat().length, 39);
});

t.test('a batch that the server ends the session for is halved', async (t) => {
  const fixture = await storeFixture(t);
  const tooLarge = Object.assign(new Error('Got a packet bigger than max_allowed_packet'), {
    ...{ errno: 1153, sqlState: '08S01' },
  });
  const connect = breakable(fixture.mysql, ({ sql, values }, session) => {
    if (!sql.startsWith('INSERT INTO `jobs` ') || (values[0] as SqlRows).length === 1) return 'pass';
    session.destroy();
    return tooLarge;
  });
  const { coalescer, posted } = writesOf(t, fixture, await own(t, fixture, { connect }));
  await Promise.all(['a', 'b', 'c'].map((job) => coalescer.put(key(job), EVERY_MINUTE, REPLACE)));
  t.equal(posted.length, 3);
  t.equal(await fixture.value('SELECT COUNT(*) FROM jobs'), 3);
});

t.test('a bulk load that is too much for a slow MySQL is stored in smaller batches', async (t) => {
  const fixture = await storeFixture(t);
  await fixture.query('CREATE TRIGGER slow BEFORE INSERT ON jobs FOR EACH ROW DO SLEEP(0.002)');
  // A thousand rows take two seconds or more.
  const connect = () => openSession(fixture.mysql, { lease: 120_000, deadline: 700 });
  const { coalescer } = writesOf(t, fixture, await own(t, fixture, { connect }));
  const count = 1_000;
  const outcomes = await coalescer.putAll(
    Array.from({ length: count }, (_, index) => ({ key: key(`${index}`), request: EVERY_MINUTE })),
  );
  t.same(new Set(outcomes), new Set(['created']));
  t.equal(await fixture.value('SELECT COUNT(*) FROM jobs'), count);
});

t.test('a server that only reads refuses all with database_unavailable', async (t) => {
  const fixture = await storeFixture(t);
  const readOnly = Object.assign(new Error('running with --read-only'), { errno: 1290, sqlState: 'HY000' });
  const connect = breakable(fixture.mysql, ({ sql }) =>
    sql.startsWith('INSERT INTO `jobs` ') ? readOnly : 'pass',
  );
  const { coalescer, posted } = writesOf(t, fixture, await own(t, fixture, { connect }));
  const results = await Promise.allSettled(
    ['a', 'b'].map((job) => coalescer.put(key(job), EVERY_MINUTE, REPLACE)),
  );
  for (const result of results)
    t.match(result, { status: 'rejected', reason: { code: 'database_unavailable' } });
  t.equal(posted.length, 0);
});

t.test('a deadlock is tried again', async (t) => {
  const fixture = await storeFixture(t);
  let deadlocks = 2;
  const deadlock = Object.assign(new Error('Deadlock found'), { errno: 1213, sqlState: '40001' });
  const connect = breakable(fixture.mysql, ({ sql }) =>
    sql.startsWith('INSERT INTO `jobs` ') && deadlocks-- > 0 ? deadlock : 'pass',
  );
  const { coalescer, posted } = writesOf(t, fixture, await own(t, fixture, { connect }));
  await coalescer.put(key('a'), EVERY_MINUTE, REPLACE);
  t.equal(posted.length, 1);
});

t.test('a COMMIT that the server answers with an error is found out, and run again', async (t) => {
  const fixture = await storeFixture(t);
  const duringCommit = Object.assign(new Error('Got error during COMMIT'), {
    errno: 1180,
    sqlState: 'HY000',
  });
  let wrote = false;
  let errors = 1;
  const connect = breakable(fixture.mysql, ({ sql }) => {
    wrote ||= sql.startsWith('INSERT INTO `jobs` ');
    if (!wrote || sql !== 'COMMIT' || errors === 0) return 'pass';
    errors--;
    return duringCommit;
  });
  const { coalescer, posted } = writesOf(t, fixture, await own(t, fixture, { connect }));
  await Promise.all(['a', 'b'].map((job) => coalescer.put(key(job), EVERY_MINUTE, REPLACE)));
  t.equal(errors, 0);
  t.equal(posted.length, 1, 'as one batch: none of them is at fault');
  t.equal(await fixture.value('SELECT COUNT(*) FROM jobs'), 2);
});

t.test('settled jobs are absent at once and deleted a little later', async (t) => {
  const fixture = await storeFixture(t);
  const { coalescer, posted } = writesOf(t, fixture, await own(t, fixture));
  const soon = { oneOff: true, immediate: true };
  const [gone, replaced, changed] = await Promise.all(
    ['gone', 'replaced', 'changed'].map((job) => coalescer.put(key(job), soon, REPLACE)),
  );
  const settledVersions = [gone!, replaced!, changed!].map(({ row: { id, version } }) => ({ id, version }));
  // The change is committed before the report that the version before it has settled.
  const after = await coalescer.post(key('changed'), { interval: { ms: 60_000, text: null } });
  t.equal(after?.row.version, 2);
  coalescer.settled(settledVersions);
  t.ok(coalescer.isSettled(gone!.row.id, 1));
  t.notOk(coalescer.isSettled(changed!.row.id, 2), 'the changed one is armed anew');
  t.equal(await coalescer.post(key('gone'), EVERY_MINUTE), null, 'POST answers that there is none');
  t.equal(await coalescer.delete(key('gone')), null);
  const anew = await coalescer.put(key('replaced'), EVERY_MINUTE, { onlyCreate: true });
  t.ok(anew.created);
  t.ok(anew.row.id > replaced!.row.id);
  await removed(posted, gone!.row.id);
  const left = await fixture.query('SELECT id, version FROM jobs ORDER BY id');
  t.strictSame(left, [
    [changed!.row.id, 2],
    [anew.row.id, 1],
  ]);
  t.ok(coalescer.isSettled(gone!.row.id, 1), 'who read the row before its deletion still learns it');
});

t.test('after the stop nothing is taken, and what had come is answered', async (t) => {
  const fixture = await storeFixture(t);
  const { coalescer } = writesOf(t, fixture, await own(t, fixture));
  const before = coalescer.put(key('a'), EVERY_MINUTE, REPLACE);
  const stopped = coalescer.stop();
  await t.rejects(coalescer.put(key('b'), EVERY_MINUTE, REPLACE), { code: 'stopping' });
  await stopped;
  t.ok((await before).created);
});

async function removed(
  posted: readonly (readonly { op: string; id?: number }[])[],
  id: number,
): Promise<void> {
  const isRemoved = () => posted.flat().some((change) => change.op === 'remove' && change.id === id);
  while (!isRemoved()) await new Promise((resolve) => setTimeout(resolve, 10));
}

t.test('runs by hand and backfills are rows, which a new owner goes on with', async (t) => {
  const fixture = await storeFixture(t);
  const owned = await own(t, fixture);
  const { coalescer, posted } = writesOf(t, fixture, owned);
  const now = Date.now();
  await coalescer.put(key('a'), { ...EVERY_MINUTE, firstRun: now - 600_000 }, REPLACE);
  const run = await coalescer.open(key('a'), null);
  const past = { from: now - 600_000, to: now - 300_000 };
  const backfill = await coalescer.open(key('a'), past);
  t.match([run, backfill], [{ kind: 'run' }, { kind: 'backfill', ...past, position: now - 600_000 }]);
  t.equal(await coalescer.open(key('b'), null), null);
  await t.rejects(coalescer.open(key('a'), { from: now, to: now + 9e6 }), { message: /^to must not be/ });
  const other = await coalescer.open(key('a'), null);
  t.ok((await coalescer.end(other!.id))! > 0);
  t.equal(await coalescer.end(other!.id), null);
  t.same(
    posted.flat().map(({ op }) => op),
    ['upsert', 'open', 'open', 'open', 'end'],
  );
  const moved = {
    id: backfill!.id,
    position: now - 540_000,
    ahead: [now - 480_000, now - 420_000],
    published: 3,
  };
  await owned.session.release(() => ({ checkpoint: null, spans: { moved: [moved], ended: [run!.id] } }));
  const second = await own(t, fixture, { address: 'elsewhere' });
  t.same(second.spans, [{ ...backfill, ...moved }]);
});

t.test('the COMMIT of a run by hand is lost, and it is found out', async (t) => {
  const fixture = await storeFixture(t);
  let lose: 'lose-before' | 'lose-after' | null = null;
  const connect = breakable(fixture.mysql, ({ sql }) => {
    if (sql !== 'COMMIT' || lose === null) return 'pass';
    const how = lose;
    lose = null;
    return how;
  });
  const { coalescer, posted } = writesOf(t, fixture, await own(t, fixture, { connect }));
  await coalescer.put(key('a'), EVERY_MINUTE, REPLACE);
  for (const how of ['lose-after', 'lose-before'] as const) {
    lose = how;
    t.match(await coalescer.open(key('a'), null), { kind: 'run' }, how);
  }
  t.equal(await fixture.value('SELECT COUNT(*) FROM jobs_backfill'), 2);
  t.equal(posted.flat().filter(({ op }) => op === 'open').length, 2);
});
