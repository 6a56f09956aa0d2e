import fc from 'fast-check';
import t from 'tap';
import type { Rules, Schedule } from '../../src/job/job.ts';
import { type Timetable, timetableOf } from '../../src/job/timetable.ts';
import { at, calendar, cron, every, once } from './schedules.ts';

/** A few years about the changes of their clocks, and the end of what other systems can count. */
const times = fc.oneof(
  fc.integer({ min: at('2010-01-01'), max: at('2032-01-01') }),
  fc.integer({ min: at('2037-12-01'), max: at('2039-01-01') }),
  // Hours around changes: New York, Lord Howe, Istanbul, Samoa's day, Casablanca's Ramadan.
  fc
    .tuple(
      fc.constantFrom(
        at('2026-03-08T07:00Z'),
        at('2026-11-01T06:00Z'),
        at('2026-04-04T15:00Z'),
        at('2026-10-03T15:30Z'),
        at('2015-11-08T01:00Z'),
        at('2011-12-30T10:00Z'),
        at('2026-02-15T02:00Z'),
      ),
      fc.integer({ min: -100_000_000, max: 100_000_000 }),
    )
    .map(([change, distance]) => change + distance),
);

const locations = fc.constantFrom(
  'UTC',
  'America/New_York',
  'Europe/Istanbul',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Pacific/Apia',
  'Africa/Casablanca',
);
const number = (min: number, max: number) => fc.integer({ min, max }).map(String);
const field = (min: number, max: number) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant('*') },
    number(min, max),
    fc.tuple(number(min, max), number(min, max)).map((parts) => parts.join(',')),
    fc.integer({ min: 2, max: 7 }).map((step) => `*/${step}`),
    fc
      .tuple(fc.integer({ min, max }), fc.integer({ min, max }))
      .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
  );
const dayOfMonth = fc.oneof(
  { weight: 4, arbitrary: field(1, 28) },
  fc.constantFrom('L', 'LW', '15W', '1,L', '?', '29', '31'),
);
const dayOfWeek = fc.oneof(
  { weight: 4, arbitrary: field(0, 6) },
  fc.constantFrom('MON-FRI', '5L', 'TUE#2', '?', '7'),
);
const months = fc.oneof(
  { weight: 3, arbitrary: fc.constant('*') },
  fc.constantFrom('1,3,5,7', 'MAR,OCT,NOV', '*/2'),
);
const expressions = fc
  .oneof(
    { weight: 5, arbitrary: fc.tuple(field(0, 59), field(0, 23), dayOfMonth, months, dayOfWeek) },
    {
      weight: 2,
      arbitrary: fc.tuple(field(0, 59), field(0, 59), field(0, 23), dayOfMonth, months, dayOfWeek),
    },
  )
  .map((fields) => fields.join(' '));
const exclusions = fc.array(
  fc.oneof(
    fc.constantFrom('2026-03-08', '2026-03-07/2026-03-09', '2026-10-01/2026-11-30', '2015-11-08'),
    fc.constantFrom(
      '* 0-22 * * *',
      '* 2 * * *',
      '*/2 * * * *',
      '* * * * 6,0',
      '1-59/2 * * * * *',
      '* * 1-9 * *',
    ),
  ),
  { minLength: 1, maxLength: 3 },
);
const clock: fc.Arbitrary<Rules> = fc.record(
  {
    location: locations,
    gap: fc.constantFrom('skip' as const, 'run' as const),
    overlap: fc.constantFrom('first' as const, 'both' as const),
  },
  { requiredKeys: [] },
);
const others: fc.Arbitrary<Rules> = fc.record(
  {
    exclude: exclusions,
    jitter: fc.constantFrom(0, 1, 500, 60_000, 7_200_000),
    lastRun: times,
    endsAt: times,
  },
  { requiredKeys: [] },
);
const rules = fc.tuple(clock, others).map(([a, b]): Rules => ({ ...a, ...b }));
const durations = fc.constantFrom('P1D', 'P1W', 'P1M', 'P3M', 'P1Y', 'P1M1D', 'P1DT6H', 'P13D', 'P1DT1S');

const schedules: fc.Arbitrary<Schedule> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(expressions, rules, fc.constantFrom(0, at('2015-06-01')))
      .map(([text, own, first]) => cron(text, own, first)),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(durations, times, rules).map(([text, first, own]) => calendar(text, first, own)),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(1, 7, 60, 90, 3600, 86_400, 100_000), times, rules)
      .map(([seconds, first, own]) => every(seconds, own, first)),
  },
  { weight: 1, arbitrary: fc.tuple(times, rules).map(([time, own]) => once(time, own)) },
);

/** The next `count` times from `time` on, each asked for 1 ms after the one before. */
function step(timetable: Timetable, time: number, count: number): number[] {
  const found: number[] = [];
  let next = timetable.firstAtOrAfter(time);
  while (Number.isFinite(next) && found.length < count) {
    found.push(next);
    next = timetable.firstAtOrAfter(next + 1);
  }
  return found;
}

function check(
  name: string,
  property: (schedule: Schedule, time: number, id: number) => void,
  numRuns = 1500,
): void {
  t.test(name, async (t) => {
    const cases = fc.property(schedules, times, fc.integer({ min: 1, max: 2 ** 48 }), property);
    const { failed, counterexample, errorInstance } = fc.check(cases, { numRuns, seed: 20_261_126 });
    t.notOk(failed, failed ? `${JSON.stringify(counterexample)} ${errorInstance}` : 'holds');
  });
}

function assert(truth: boolean, what: () => unknown): void {
  if (!truth) throw new Error(JSON.stringify(what()));
}

check('stepping goes up, and from wherever it begins it meets the same times', (schedule, time, id) => {
  const all = step(timetableOf(schedule, id), time, 20);
  for (const [index, at] of all.entries()) {
    assert(
      Number.isInteger(at) && at >= (all[index - 1] ?? time - 1) + (index > 0 ? 1 : 0) && at >= time,
      () => all,
    );
  }
  // Whole ms: any moment between two times, asked of a timetable that has been told nothing yet.
  for (const [index, at] of all.entries()) {
    const before = all[index - 1] ?? time - 1;
    const other = timetableOf(schedule, id);
    for (const moment of [before + 1, before + Math.ceil((at - before) / 2), at - 1, at]) {
      if (moment > before)
        assert(other.firstAtOrAfter(moment) === at, () => [all, index, moment, other.firstAtOrAfter(moment)]);
    }
  }
});

check('the last time is the inverse of the first', (schedule, time, id) => {
  const timetable = timetableOf(schedule, id);
  const all = step(timetable, time, 12);
  for (const [index, at] of all.entries()) {
    const next = all[index + 1] ?? at + 1;
    for (const moment of [at, at + 1, Math.floor((at + next) / 2), next - 1]) {
      if (moment >= at && moment < next) {
        assert(timetable.lastAtOrBefore(moment) === at, () => [
          all,
          index,
          moment,
          timetable.lastAtOrBefore(moment),
        ]);
      }
    }
  }
  const last = timetable.lastAtOrBefore(time);
  assert(last <= time, () => last);
  if (Number.isFinite(last)) {
    assert(timetable.firstAtOrAfter(last) === last, () => [last, timetable.firstAtOrAfter(last)]);
    assert(timetable.firstAtOrAfter(last + 1) > time || timetable.firstAtOrAfter(time) === time, () => last);
  }
});

check('counting agrees with stepping', (schedule, time, id) => {
  const timetable = timetableOf(schedule, id);
  const all = step(timetable, time, 30);
  for (const count of new Set([0, 1, 2, all.length])) {
    if (count > all.length) continue;
    const until = count === 0 ? time : (all[count - 1] ?? time) + 1;
    assert(timetable.count(time, until, 1000) === count, () => [
      all,
      count,
      timetable.count(time, until, 1000),
    ]);
    assert(timetable.count(time, until, 1) === Math.min(1, count), () => [all, count, 'limit 1']);
    if (count > 0 && all.length >= count) {
      assert(timetable.count(time, until - 1, 1000) === count - 1, () => [
        all,
        count,
        'until is not included',
      ]);
      assert(timetable.count(all[0]!, until, 1000) === count, () => [all, count, 'from is included']);
    }
  }
  assert(timetable.count(time, time - 1000, 10) === 0, () => 'backwards');
});

check('bounds hold, and what is moved stays in its place', (schedule, time, id) => {
  const { jitter = 0, lastRun = Infinity, endsAt = Infinity, ...own } = schedule.rules ?? {};
  const moved = timetableOf(schedule, id);
  const unmoved = timetableOf({ ...schedule, rules: { ...own, lastRun } }, id);
  for (const at of step(moved, time, 10)) {
    assert(at >= schedule.firstRun && at <= lastRun && at <= endsAt, () => at);
    const base = unmoved.lastAtOrBefore(at);
    assert(at - base >= 0 && at - base <= jitter, () => [at, base]);
    assert(at < unmoved.firstAtOrAfter(base + 1), () => [at, base]);
  }
});

check(
  'jobs that share what was parsed are told what each would be told alone',
  (schedule, time, id) => {
    const [one, other] = [timetableOf(schedule, id), timetableOf({ ...schedule }, id)];
    const expected = step(one, time, 8);
    // Another question in between, and the other's in another order.
    other.lastAtOrBefore(time + 1_000_000);
    other.firstAtOrAfter(time + 3_600_000);
    assert(JSON.stringify(step(other, time, 8)) === JSON.stringify(expected), () => [
      expected,
      step(other, time, 8),
    ]);
  },
  500,
);
