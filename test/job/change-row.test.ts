import t from 'tap';
import { changeRow, createRow, type JobRequest, replaceRow } from '../../src/job/change-row.ts';
import type { JobRow } from '../../src/job/job.ts';
import { nextRun } from '../../src/job/next-run.ts';
import { checkCombination } from '../../src/job/plan.ts';

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

t.test('a one-off does not vanish where its new time is excluded', async (t) => {
  const once = create({ oneOff: true, firstRun: NOW + MINUTE, exclude: ['* 9 * * *'] });
  const paused = post(once, { enabled: false });
  const hour = 60 * MINUTE;
  t.throws(() => post(paused, { enabled: true }, NOW + hour + 5), {
    code: 'invalid_parameter',
    parameter: 'exclude',
  });
  t.equal(nextRun(post(paused, { enabled: true }, NOW + 2 * hour), NOW + 2 * hour), NOW + 2 * hour);
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

t.test('a job whose last run waits can be paused, and goes on only with a new max_runs', async (t) => {
  const used = { parameter: 'max_runs', message: /^max_runs is used up/ };
  const rules: JobRequest[] = [
    { ...minute, maxRuns: 1 },
    { cron: '* * * * *', maxRuns: 1 },
  ];
  for (const request of rules) {
    const row = create(request);
    const over = row.schedule.rules!.endsAt! + 1;
    const noted = post(row, { note: 'RabbitMQ is away' }, over);
    t.match(noted, { since: NOW, note: 'RabbitMQ is away' });
    t.equal(noted.schedule, row.schedule, 'a remark leaves what waits');
    const paused = post(row, { enabled: false }, over);
    t.match(paused, { enabled: false, since: over, schedule: { rules: { maxRuns: 1, runsLeft: 0 } } });
    t.equal(paused.schedule.rules?.endsAt, undefined);
    const changed = post(paused, { note: 'why', misfire: 'skip' }, over + 1);
    t.equal(changed.schedule.rules?.runsLeft, 0, 'another change gives it none');
    t.equal(put(paused, request, over + 1), paused, 'nor does a PUT of the same definition');
    t.throws(() => post(changed, { enabled: true }, over + 2), used);
    t.throws(() => post(changed, { enabled: true, jitter: 5 }, over + 2), used);
    t.throws(() => put(paused, { ...request, enabled: true }, over + 2), used);
    t.equal(put(row, { ...request, enabled: false }, over).schedule.rules?.runsLeft, 0);
    const more = post(changed, { enabled: true, maxRuns: 2 }, over + 2);
    t.equal(nextRun(more, over + 2), more.schedule.rules!.endsAt! - MINUTE, 'two more');
  }
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
});

const DAY = 86_400_000;
const endOfMonth = { interval: { ms: null, text: 'P1M' }, firstRun: Date.UTC(2027, 0, 31, 9) };
const daily = { cron: '30 9 * * *' };

t.test('not_before keeps the phase of every kind', async (t) => {
  const rows: [request: JobRequest, next: number][] = [
    [{ interval: { ms: DAY, text: 'PT24H' } }, NOW + 41 * DAY],
    [{ interval: { ms: DAY, text: null }, firstRun: NOW - 5 }, NOW + 41 * DAY - 5],
    [endOfMonth, Date.UTC(2027, 1, 28, 9)],
    [{ ...endOfMonth, jitter: 0 }, Date.UTC(2027, 1, 28, 9)],
    [{ ...endOfMonth, exclude: ['2027-02-28'] }, Date.UTC(2027, 2, 31, 9)],
    [{ interval: { ms: null, text: 'P1W' } }, NOW + 42 * DAY],
    [{ cron: '30 9 L * *' }, Date.UTC(2027, 1, 28, 9, 30)],
    [{ cron: '30 9 L * *', firstRun: NOW + 60 * DAY }, Date.UTC(2027, 2, 31, 9, 30)],
    [{ oneOff: true, firstRun: NOW + 50 * DAY }, NOW + 50 * DAY],
    [{ oneOff: true, firstRun: NOW + 5 }, NOW + 40 * DAY + 1],
  ];
  for (const [request, expected] of rows) {
    const name = JSON.stringify(request);
    const row = create(request);
    const kept = post(row, { notBefore: NOW + 40 * DAY + 1 });
    t.match(kept, { version: 2, since: NOW + 1000 }, 'one change');
    const show = (time: number | null) => new Date(time!).toISOString();
    t.equal(show(nextRun(kept, NOW + 1000)), show(expected), name);
    const before = nextRun(kept, NOW + 39 * DAY);
    t.equal(before, expected, 'nothing until then');
  }
});

t.test('a later not_before takes the place of an earlier one, also back', async (t) => {
  for (const request of [{ interval: { ms: DAY, text: null } }, endOfMonth, daily]) {
    const row = create(request);
    const first = nextRun(row, NOW);
    const far = post(row, { notBefore: NOW + 4000 * DAY });
    t.ok(nextRun(far, NOW)! >= NOW + 4000 * DAY);
    t.equal(
      nextRun(post(far, { notBefore: NOW + 1 }, NOW + 2000), NOW + 2000),
      first,
      JSON.stringify(request),
    );
  }
  const anchored = create({ ...minute, firstRun: NOW + DAY });
  t.equal(
    nextRun(post(anchored, { notBefore: NOW + MINUTE }), NOW + 1000),
    NOW + DAY,
    'not before first_run',
  );
});

t.test('what not_before keeps back stays so through other changes', async (t) => {
  for (const request of [endOfMonth, daily]) {
    const row = post(create(request), { notBefore: NOW + 400 * DAY });
    const next = nextRun(row, NOW + 2000)!;
    t.ok(next >= NOW + 400 * DAY);
    t.equal(put(row, request), row, 'a PUT of the same definition');
    t.equal(nextRun(post(row, { misfire: 'skip' }), NOW + 2000), next, 'another misfire rule');
    t.equal(nextRun(post(row, { jitter: 0 }, NOW + 2000), NOW + 2000), next, 'another rule');
    const paused = post(row, { enabled: false }, NOW + 2000);
    t.equal(nextRun(post(paused, { enabled: true }, NOW + 3000), NOW + 3000), next, 'a pause');
    t.equal(
      post(row, { jitter: 0 }, NOW + 500 * DAY).schedule.rules?.notBefore,
      undefined,
      'until it is past',
    );
    const anew = post(row, minute, NOW + 2000);
    t.equal(nextRun(anew, NOW + 2000), NOW + 2000 + MINUTE, 'but for a schedule that is planned anew');
  }
});

t.test('a PUT that names first_run again undoes what moved it', async (t) => {
  const anchored = { ...minute, firstRun: NOW + 5000 };
  const row = create(anchored);
  for (const moved of [post(row, { notBefore: NOW + 10 * MINUTE }), post(row, { shift: 7000 })]) {
    t.not(nextRun(moved, NOW + 2000), NOW + 5000);
    t.equal(nextRun(put(moved, anchored, NOW + 2000), NOW + 2000), NOW + 5000);
  }
  const kept = post(create(endOfMonth), { notBefore: Date.UTC(2027, 5, 1) });
  t.equal(put(kept, endOfMonth), kept, 'but not of a calendar what keeps it back');
});

t.test('a run at once that a pause swallows is not made up for', async (t) => {
  const paused = create({ ...minute, immediate: true, enabled: false });
  const resumed = post(paused, { enabled: true }, NOW + MINUTE + 1);
  t.equal(nextRun(resumed, NOW + MINUTE + 1), NOW + 2 * MINUTE, 'the phase is that of the request');
});

t.test('not_before together with what plans anew', async (t) => {
  const row = create(minute);
  const slower = post(row, { interval: { ms: 7000, text: null }, notBefore: NOW + DAY });
  t.equal(nextRun(slower, NOW + 1000), NOW + 8000 + Math.ceil((DAY - 8000) / 7000) * 7000);
  t.equal(nextRun(post(row, { ...daily, notBefore: NOW + 10 * DAY }), NOW)! - NOW > 10 * DAY - 1, true);
  const counted = create({ ...endOfMonth, maxRuns: 3 });
  t.equal(
    post(counted, { notBefore: Date.UTC(2027, 5, 1) }).schedule.rules?.endsAt,
    Date.UTC(2027, 7, 31, 9),
    'max_runs counts what is left from then on',
  );
});

t.test('wrong paces', async (t) => {
  const cases: [row: JobRequest, change: JobRequest, message: RegExp][] = [
    [
      { ...minute, lastRun: NOW + DAY },
      { notBefore: NOW + DAY + 1 },
      /^not_before leaves no run up to last_run$/,
    ],
    [
      { ...daily, lastRun: NOW + DAY },
      { notBefore: NOW + DAY + 1 },
      /^not_before leaves no run up to last_run$/,
    ],
    [{ cron: '0 0 29 2 *' }, { notBefore: Date.UTC(9998, 0) }, /^not_before leaves no run from now on$/],
    [endOfMonth, { notBefore: Date.UTC(9999, 11, 31, 9, 0, 1) }, /^not_before leaves no run from now on$/],
    [
      { interval: { ms: DAY, text: null } },
      { notBefore: Date.UTC(9999, 11, 31, 23) },
      /^not_before leaves no/,
    ],
    [minute, { shift: -4_294_967_295_000 }, /^shift must leave the first run in the years 1970 to 9999$/],
    [{ ...minute, firstRun: Date.UTC(9999, 0) }, { shift: 4_294_967_295_000 }, /^shift must leave/],
    [endOfMonth, { shift: -4_294_967_295_000 }, /^shift must leave/],
    [daily, { shift: 5000 }, /^shift is not for jobs with a cron expression/],
    [minute, { ...daily, shift: 5000 }, /^shift is not for jobs with a cron expression/],
  ];
  for (const [row, change, message] of cases) {
    t.throws(
      () => post(create(row), change),
      { code: 'invalid_parameter', message },
      JSON.stringify([row, change]),
    );
  }
  for (const change of [{ notBefore: NOW }, { shift: 5000 }]) {
    const message = /^(not_before|shift) and immediate=true exclude each other$/;
    t.throws(() => checkCombination({ ...change, immediate: true }), { code: 'invalid_parameter', message });
  }
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
