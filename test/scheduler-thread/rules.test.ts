import t from 'tap';
import type { JobRow, Rules } from '../../src/job/job.ts';
import { Outcome } from '../../src/protocol/scheduler-publisher.ts';
import { intervalRow, oneOffRow } from '../helpers/rows.ts';
import { NOW, type Sent, setUp, upsert } from './scheduler-stage.ts';

const MINUTE = 60_000;

/** Each minute from the next one on. */
function withRules(rules: Rules, changes: Partial<JobRow> = {}): JobRow {
  const row = intervalRow(7, MINUTE, NOW + MINUTE, { since: NOW, ...changes });
  return { ...row, schedule: { ...row.schedule, rules } };
}

function cronRow(cron: string, rules: Rules = {}, changes: Partial<JobRow> = {}): JobRow {
  const schedule = { kind: 'cron', cron, intervalMs: null, intervalText: null } as const;
  return {
    ...intervalRow(7, MINUTE, NOW, { since: NOW, ...changes }),
    schedule: { ...schedule, firstRun: NOW, anchored: false, rules },
  };
}

const minutes = (sent: readonly Sent[]) => sent.map(({ time }) => (time - NOW) / MINUTE);

t.test('a cron job runs at its times, and its messages expire with the next one', async (t) => {
  const { scheduler, time, sent } = setUp();
  scheduler.finishLoad();
  // 2027-01-15T08:00:00Z, a Friday.
  scheduler.apply(1, [upsert(cronRow('*/10 9-17 * * 5', { location: 'Europe/Istanbul' }))]);
  await time.advance(25 * MINUTE);
  t.same(minutes(sent), [0, 10, 20]);
  t.same(
    sent.map(({ expiration }) => expiration),
    [600_000, 600_000, 600_000],
  );
});

t.test('a calendar job', async (t) => {
  const { scheduler, time, sent } = setUp();
  scheduler.finishLoad();
  const schedule = { kind: 'calendar', intervalMs: null, intervalText: 'P1D', anchored: true } as const;
  const row = intervalRow(7, MINUTE, NOW, { since: NOW });
  scheduler.apply(1, [upsert({ ...row, schedule: { ...schedule, firstRun: NOW + MINUTE } })]);
  await time.advance(3 * 24 * 60 * MINUTE);
  t.same(minutes(sent), [1, 1 + 24 * 60, 1 + 2 * 24 * 60]);
});

t.test('misfire=once stands for what an outage has taken', async (t) => {
  const { scheduler, time, sent, connect } = setUp();
  scheduler.finishLoad();
  connect(false);
  scheduler.apply(1, [upsert(cronRow('* * * * *'))]);
  await time.advance(10 * MINUTE);
  connect(true);
  await time.advance(1);
  t.match(sent, [{ time: NOW + 10 * MINUTE, missed: 10 }]);
  t.match(scheduler.progress().counters, { due: 11, superseded: 10, confirmed: 1, skipped: 0 });
});

t.test('misfire=skip', async (t) => {
  const { scheduler, time, sent, connect } = setUp();
  scheduler.finishLoad();
  scheduler.apply(1, [upsert(withRules({ misfire: 'skip' }))]);
  connect(false);
  await time.advance(10 * MINUTE + 59_000);
  connect(true);
  await time.advance(1000);
  t.same(minutes(sent), [10, 11], 'the last one was not missed yet');
  t.ok(sent.every(({ missed }) => missed === 0));
  t.match(scheduler.progress().counters, { due: 11, skipped: 9, superseded: 0, confirmed: 2, heldBack: 0 });
});

t.test('misfire=skip drops what waits for too long', async (t) => {
  const { scheduler, time, sent, behaviour } = setUp({ answer: Outcome.nacked });
  scheduler.finishLoad();
  const hour = intervalRow(7, 60 * MINUTE, NOW + MINUTE, { since: NOW });
  scheduler.apply(1, [upsert({ ...hour, schedule: { ...hour.schedule, rules: { misfire: 'skip' } } })]);
  await time.advance(MINUTE + 59_000);
  t.ok(sent.length > 3, 'it is tried again and again');
  await time.advance(30_000);
  const tries = sent.length;
  behaviour.answer = Outcome.confirmed;
  await time.advance(10 * MINUTE);
  t.equal(sent.length, tries, 'and not any more');
  t.match(scheduler.progress().counters, { due: 1, skipped: 1, heldBack: 0, inFlight: 0 });
  await time.advance(60 * MINUTE);
  t.equal(sent.at(-1)!.time, NOW + 61 * MINUTE);
});

t.test('misfire=all runs each, in order', async (t) => {
  const { scheduler, time, sent, connect } = setUp();
  scheduler.finishLoad();
  scheduler.apply(1, [upsert(withRules({ misfire: 'all' }))]);
  connect(false);
  await time.advance(10 * MINUTE);
  connect(true);
  await time.advance(1);
  t.same(minutes(sent), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  t.same(
    sent.map(({ missed }) => missed),
    [1, 1, 1, 1, 1, 1, 1, 1, 0, 0],
    'each is told whether it was missed',
  );
  t.match(scheduler.progress().counters, { due: 10, confirmed: 10, superseded: 0, skipped: 0 });
});

t.test('misfire=all over a route that fails: each waits, and each comes', async (t) => {
  const { scheduler, time, sent, behaviour, listed } = setUp({ answer: Outcome.nacked });
  scheduler.finishLoad();
  scheduler.apply(1, [upsert(withRules({ misfire: 'all' }))]);
  await time.advance(3 * MINUTE);
  t.same(
    listed().map(([, at]) => (Number(at) - NOW) / MINUTE),
    [1, 2, 3],
    'all are exceptions',
  );
  behaviour.answer = Outcome.confirmed;
  await time.advance(MINUTE - 1);
  const confirmed = scheduler.progress().counters.confirmed;
  t.equal(confirmed, 3);
  t.same([...new Set(minutes(sent))].sort(), [1, 2, 3]);
});

t.test('misfire=all is bounded: the oldest give way', async (t) => {
  const down = setUp({ misfireBacklog: 3 });
  down.scheduler.finishLoad();
  down.scheduler.apply(1, [upsert(withRules({ misfire: 'all' }))]);
  down.connect(false);
  await down.time.advance(10 * MINUTE);
  down.scheduler.progress();
  down.connect(true);
  await down.time.advance(1);
  t.same(minutes(down.sent), [8, 9, 10], 'after an outage');
  t.match(down.scheduler.progress().counters, { due: 10, confirmed: 3, skipped: 7 });

  const refused = setUp({ misfireBacklog: 3, answer: Outcome.nacked });
  refused.scheduler.finishLoad();
  refused.scheduler.apply(1, [upsert(withRules({ misfire: 'all' }))]);
  await refused.time.advance(10 * MINUTE + 500);
  t.ok(refused.listed().length <= 4, 'on a route that fails');
  const { due, skipped, heldBack, inFlight } = refused.scheduler.progress().counters;
  t.equal(due, skipped + heldBack + inFlight);
});

t.test('an age drops what is older', async (t) => {
  const { scheduler, time, sent, connect } = setUp();
  scheduler.finishLoad();
  scheduler.apply(1, [upsert(withRules({ misfire: 'all', misfireAge: 150_000 }))]);
  connect(false);
  await time.advance(10 * MINUTE);
  connect(true);
  await time.advance(1);
  t.same(minutes(sent), [8, 9, 10]);

  const once = setUp();
  once.scheduler.finishLoad();
  const row = oneOffRow(3, NOW + MINUTE, { since: NOW });
  once.scheduler.apply(1, [upsert({ ...row, schedule: { ...row.schedule, rules: { misfireAge: 1000 } } })]);
  once.connect(false);
  await once.time.advance(2 * MINUTE);
  once.connect(true);
  await once.time.advance(1);
  t.same(once.sent, [], 'a one-off too');
  const { settledJobs, counters } = once.scheduler.progress();
  t.same(settledJobs, [{ id: 3, version: 1 }], 'which is over then');
  t.match(counters, { due: 1, skipped: 1 });
});

t.test('a job ends with its last run', async (t) => {
  for (const rules of [{ lastRun: NOW + 3 * MINUTE + 1 }, { maxRuns: 3, endsAt: NOW + 3 * MINUTE }]) {
    const { scheduler, time, sent, behaviour } = setUp();
    scheduler.finishLoad();
    scheduler.apply(1, [upsert(withRules(rules))]);
    await time.advance(2 * MINUTE);
    t.same(scheduler.progress().settledJobs, []);
    behaviour.answer = Outcome.nacked;
    await time.advance(MINUTE);
    t.same(scheduler.progress().settledJobs, [], 'not before it was confirmed');
    behaviour.answer = Outcome.confirmed;
    await time.advance(MINUTE);
    t.same([...new Set(minutes(sent))], [1, 2, 3]);
    t.same(scheduler.progress().settledJobs, [{ id: 7, version: 1 }]);
    await time.advance(10 * MINUTE);
    t.same(scheduler.progress().settledJobs, [], 'once');
  }
});

t.test('a jittered time is the scheduled time everywhere', async (t) => {
  const { scheduler, time, sent, behaviour, listed } = setUp();
  scheduler.finishLoad();
  scheduler.apply(1, [upsert(withRules({ jitter: 30_000 }))]);
  await time.advance(10 * MINUTE);
  const offsets = sent.map(({ time }) => (time - NOW) % MINUTE);
  t.ok(new Set(offsets).size > 5);
  t.ok(offsets.every((offset) => offset < 30_000));
  behaviour.answer = Outcome.nacked;
  await time.advance(MINUTE);
  const last = sent.at(-1)!.time;
  t.same(listed(), [[7, last]]);
  const again = setUp({ watermark: last + 1, exceptions: [[7, last]] });
  again.scheduler.load(withRules({ jitter: 30_000 }));
  again.scheduler.finishLoad();
  await again.time.advance(20);
  t.match(again.sent, [{ time: last }], 'and after a restart');
});

t.test('what a crash left of it runs again, and no more', async (t) => {
  const first = setUp();
  first.scheduler.finishLoad();
  const rows = [
    withRules({ misfire: 'all' }, { id: 1 }),
    withRules({ exclude: ['* * * * *'] }, { id: 2 }),
    cronRow('*/2 * * * *', {}, { id: 3 }),
    withRules({ jitter: 20_000 }, { id: 4 }),
  ];
  first.scheduler.apply(1, rows.map(upsert));
  await first.time.advance(5 * MINUTE + 30_000);
  const { frontier, exceptions } = first.scheduler.progress();
  const second = setUp({ watermark: frontier!, exceptions });
  for (const row of rows) second.scheduler.load(row);
  second.scheduler.finishLoad();
  await second.time.advance(8 * MINUTE + 30_000);
  const all = [...first.sent, ...second.sent].map(({ id, time }) => `${id}@${time}`);
  t.equal(new Set(all).size, all.length, 'nothing twice');
  const ofJob = (id: number) =>
    minutes([...first.sent, ...second.sent].filter((message) => message.id === id));
  t.same(ofJob(1), [1, 2, 3, 4, 5, 6, 7, 8]);
  t.same(ofJob(2), []);
  t.same(ofJob(3), [0, 2, 4, 6, 8]);
  t.equal(ofJob(4).length, 8);
});

t.test('a job that has its own exchange, body and properties', async (t) => {
  const { scheduler, time, sent, held, behaviour } = setUp();
  behaviour.answer = 'hold';
  scheduler.finishLoad();
  const message = { exchange: 'feeds', priority: 5, expiration: null };
  const payload = new TextEncoder().encode('{"feed":7}');
  const plain = intervalRow(8, MINUTE, NOW + MINUTE, { since: NOW });
  scheduler.apply(1, [upsert({ ...plain, id: 7, message, payload }), upsert(plain)]);
  await time.advance(MINUTE);
  t.match(sent, [
    { id: 7, body: '{"feed":7}', expiration: 0 },
    { id: 8, body: '8', expiration: MINUTE },
  ]);
  const { routes, routeOf, options, optionsOf } = held[0]!.batch;
  t.same(
    [...routeOf].map((route) => routes[route]!.exchange),
    ['feeds', ''],
  );
  t.same([...optionsOf!], [1, 0]);
  t.same(options, [message]);
});

t.test('a job whose schedule cannot be told any more does not run, and is not lost', async (t) => {
  const { scheduler, time, sent } = setUp();
  scheduler.load(cronRow('* * * * *', { location: 'Europe/Atlantis' }, { id: 1 }));
  scheduler.load(intervalRow(2, MINUTE, NOW + MINUTE, { since: NOW }));
  scheduler.finishLoad();
  await time.advance(3 * MINUTE);
  t.same(new Set(sent.map(({ id }) => id)), new Set([2]), 'the others run');
  t.match(scheduler.takeUnknown(), [{ id: 1, reason: /^location must be/ }]);
  t.same(scheduler.takeUnknown(), []);
  t.same(scheduler.progress().settledJobs, [], 'its row stays');
  scheduler.apply(1, [upsert(cronRow('* * * * *', {}, { id: 1, version: 2, since: NOW + 3 * MINUTE }))]);
  await time.advance(MINUTE);
  t.equal(sent.filter(({ id }) => id === 1).length, 2, 'a change mends it');
});

t.test('the last run waits for RabbitMQ through a remark, and ends with a pause', async (t) => {
  const rules: Rules = { maxRuns: 1, endsAt: NOW + MINUTE };
  const paused: Rules = { maxRuns: 1, runsLeft: 0 };
  const cases: [change: JobRow, sent: number[]][] = [
    [withRules(rules, { version: 2, note: 'RabbitMQ is away' }), [1]],
    [withRules(paused, { version: 2, enabled: false, since: NOW + 2 * MINUTE }), []],
  ];
  for (const [change, runs] of cases) {
    const { scheduler, time, sent, connect } = setUp();
    scheduler.finishLoad();
    connect(false);
    scheduler.apply(1, [upsert(withRules(rules))]);
    await time.advance(2 * MINUTE);
    scheduler.apply(2, [upsert(change)]);
    connect(true);
    await time.advance(10 * MINUTE);
    t.same(minutes(sent), runs, change.enabled ? 'it runs' : 'nothing runs');
  }
});
