import t from 'tap';
import { changeRow, createRow, type JobRequest, replaceRow } from '../../src/job/change-row.ts';
import type { JobRow } from '../../src/job/job.ts';
import { nextRun } from '../../src/job/next-run.ts';

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;
const hash = Uint8Array.from({ length: 16 }, (_, index) => index * 7);
const named = { hash, routingKey: new Uint8Array([107]), job: new Uint8Array([106]) };
const minute = { interval: { ms: MINUTE, text: null } };

const create = (request: JobRequest, stamp = NOW) => createRow(named, request, stamp, 7);
const put = (row: JobRow, request: JobRequest, stamp = NOW + 1000) => replaceRow(row, hash, request, stamp);
const post = (row: JobRow, request: JobRequest, stamp = NOW + 1000) => changeRow(row, hash, request, stamp);

t.test('a PUT replaces all but the pause', async (t) => {
  const row = create({ ...minute, tags: ['a'], message: { priority: 5 }, payload: new Uint8Array([1]) });
  t.equal(
    put(row, { ...minute, tags: ['a'], message: { priority: 5 }, payload: new Uint8Array([1]) }),
    row,
    'equal',
  );
  const bare = put(row, minute);
  t.match(bare, { version: 2, since: NOW, schedule: row.schedule }, 'the phase stays');
  t.notOk('tags' in bare || 'message' in bare || 'payload' in bare);
  const paused = post(row, { enabled: false, note: 'why' });
  t.match(put(paused, minute), { enabled: false, note: 'why', version: 3 });
  t.match(put(paused, { ...minute, enabled: true }), { enabled: true, since: NOW + 1000 });
});

t.test('a change of the misfire rule alone plans nothing anew', async (t) => {
  const row = create(minute);
  const changed = put(row, { ...minute, misfire: 'skip' });
  t.match(changed, {
    version: 2,
    since: NOW,
    schedule: { firstRun: NOW + MINUTE, rules: { misfire: 'skip' } },
  });
  t.same(put(changed, minute).schedule.rules, undefined);
  t.match(post(row, { misfire: 'all', misfireAge: 5 }), {
    since: NOW,
    schedule: { rules: { misfire: 'all', misfireAge: 5 } },
  });
});

t.test('a POST leaves what it does not name, and null takes away', async (t) => {
  const row = create({
    cron: '0 9 * * *',
    location: 'Europe/Istanbul',
    exclude: ['2027-12-25'],
    message: { type: 'a' },
  });
  const changed = post(row, { exclude: null, message: { type: null, priority: 1 } });
  t.match(changed, { since: NOW + 1000, schedule: { kind: 'cron', rules: { location: 'Europe/Istanbul' } } });
  t.same(changed.schedule.rules, { location: 'Europe/Istanbul' });
  t.same(changed.message, { priority: 1 });
  t.match(post(row, { ...minute, location: null, exclude: null }).schedule, {
    kind: 'interval',
    rules: undefined,
  });
  t.equal(post(row, {}), row);
  t.throws(() => post(row, { lastRun: NOW - 1 }), { message: /^last_run/ });
});

t.test('a pause keeps the phase, and owes nothing', async (t) => {
  const row = create(minute);
  const paused = post(row, { enabled: false }, NOW + 10 * MINUTE + 5);
  t.equal(nextRun(paused, NOW + 11 * MINUTE), null);
  const resumed = post(paused, { enabled: true }, NOW + 20 * MINUTE + 7);
  t.match(resumed, { since: NOW + 20 * MINUTE + 7, enabled: true, version: 3 });
  t.equal(nextRun(resumed, NOW + 20 * MINUTE + 7), NOW + 21 * MINUTE);
  const once = create({ oneOff: true, firstRun: NOW + MINUTE });
  const later = post(post(once, { enabled: false }), { enabled: true }, NOW + 5 * MINUTE);
  t.equal(
    nextRun(later, NOW + 5 * MINUTE),
    NOW + 5 * MINUTE,
    'a one-off whose time came runs when it goes on',
  );
});

t.test('max_runs counts missed runs, and none of a pause', async (t) => {
  const row = create({ ...minute, maxRuns: 5 });
  t.equal(row.schedule.rules?.endsAt, NOW + 5 * MINUTE);
  const paused = post(row, { enabled: false }, NOW + 2 * MINUTE + 1);
  t.match(paused.schedule.rules, { maxRuns: 5, runsLeft: 3, endsAt: undefined });
  const reshaped = post(paused, { jitter: 5 }, NOW + 30 * MINUTE);
  t.match(reshaped.schedule.rules, { maxRuns: 5, runsLeft: 3 }, 'nor does a change in a pause');
  const resumed = post(paused, { enabled: true }, NOW + 60 * MINUTE + 1);
  t.equal(resumed.schedule.rules?.endsAt, NOW + 63 * MINUTE);
  t.equal(put(resumed, { ...minute, maxRuns: 5 }), resumed, 'a PUT of the same definition changes nothing');
  const faster = post(row, { interval: { ms: 1000, text: null } }, NOW + 2 * MINUTE + 1);
  t.match(
    faster.schedule.rules,
    { runsLeft: 3, endsAt: NOW + 2 * MINUTE + 1 + 3000 },
    'a change stores what remains',
  );
  t.match(post(row, { maxRuns: 2 }, NOW + 2 * MINUTE + 1).schedule.rules, { endsAt: NOW + 4 * MINUTE });
  t.throws(() => post(row, { jitter: 5 }, NOW + 5 * MINUTE + 1), { message: /^max_runs is used up/ });
});

t.test('the pace: not_before and shift', async (t) => {
  const row = create(minute);
  const slow = post(row, { notBefore: NOW + 10 * MINUTE + 1 });
  t.equal(nextRun(slow, NOW + 1000), NOW + 11 * MINUTE, 'the phase is kept');
  t.equal(
    nextRun(post(row, { notBefore: NOW - 1 }), NOW + 1000),
    NOW + MINUTE,
    'a time that is past changes nothing',
  );
  t.equal(nextRun(post(row, { shift: 5000 }), NOW + 1000), NOW + MINUTE + 5000);
  t.equal(nextRun(post(row, { shift: -5000 }), NOW + 1000), NOW + MINUTE - 5000);
  const once = create({ oneOff: true, firstRun: NOW + 1 });
  t.equal(post(once, { shift: -5000 }).schedule.firstRun, NOW + 1000, 'never before the change');
  t.throws(() => post(create({ interval: { ms: null, text: 'P1M' } }), { notBefore: NOW }), {
    message: /^not_before/,
  });
});

t.test('phase=spread follows from the name', async (t) => {
  const row = create({ ...minute, phase: 'spread' });
  const next = nextRun(row, NOW)!;
  t.ok(next >= NOW && next < NOW + MINUTE);
  const again = create({ ...minute, phase: 'spread' }, NOW + 12_345);
  t.equal((again.schedule.firstRun - next) % MINUTE, 0, 'whenever it is planned');
  t.equal(put(row, { ...minute, phase: 'spread' }), row);
  const other = createRow(
    { ...named, hash: new Uint8Array(16).fill(9) },
    { ...minute, phase: 'spread' },
    NOW,
    8,
  );
  t.not((other.schedule.firstRun - next) % MINUTE, 0);
});

t.test('a trace goes with a change, and is none by itself', async (t) => {
  const row = create({ ...minute, traceparent: 'a' });
  t.same(row.message, { traceparent: 'a' });
  t.equal(put(row, { ...minute, traceparent: 'b' }), row);
  t.same(post(row, { ...minute, traceparent: 'b' }).message, { traceparent: 'b' });
  t.equal(post(row, minute).message, undefined);
});
