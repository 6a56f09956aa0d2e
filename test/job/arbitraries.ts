import fc from 'fast-check';
import type { Rules, Schedule } from '../../src/job/job.ts';
import { at, calendar, cron, every, once } from './schedules.ts';

/** A few years about the changes of their clocks, and the end of what other systems can count. */
export const times = fc.oneof(
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
    notBefore: times,
    lastRun: times,
    endsAt: times,
  },
  { requiredKeys: [] },
);
const rules = fc.tuple(clock, others).map(([a, b]): Rules => ({ ...a, ...b }));
const durations = fc.constantFrom('P1D', 'P1W', 'P1M', 'P3M', 'P1Y', 'P1M1D', 'P1DT6H', 'P13D', 'P1DT1S');

export const schedules: fc.Arbitrary<Schedule> = fc.oneof(
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
