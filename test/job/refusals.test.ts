import t from 'tap';
import { DalgaError } from '../../src/errors.ts';
import { createRow } from '../../src/job/change-row.ts';
import { exclusionOf } from '../../src/job/exclusion.ts';
import type { JobRow } from '../../src/job/job.ts';
import { nextRun } from '../../src/job/next-run.ts';
import { checkPut } from '../../src/job/plan.ts';
import { IntervalTimes, type Timetable } from '../../src/job/times.ts';
import { WithoutExcluded } from '../../src/job/without-excluded.ts';
import { zoneOf } from '../../src/job/zone.ts';
import { readParameterObject } from '../../src/main-thread/http/parameters.ts';
import { at, show } from './schedules.ts';

const NOW = at('2026-11-26T12:00:00Z');
const named = { hash: new Uint8Array(16), routingKey: new Uint8Array([107]), job: new Uint8Array([106]) };

/** A PUT of the members of a JSON body. @throws DalgaError */
function put(members: Record<string, unknown>): JobRow {
  const request = readParameterObject('PUT', members);
  checkPut(request);
  return createRow(named, request, NOW, 7);
}

/** The parameter that is refused, and the rule. */
function refusalOf(members: Record<string, unknown>): [parameter: string, rule: string] {
  try {
    return ['nothing', show(nextRun(put(members), NOW) ?? Number.NaN)];
  } catch (error) {
    if (!(error instanceof DalgaError)) throw error;
    const { parameter = '', message } = error;
    return [parameter, message.replace(`${parameter} `, '')];
  }
}

type Case = readonly [members: Record<string, unknown>, parameter: string, rule: string];

function judge(name: string, cases: readonly Case[]): void {
  t.test(name, async (t) => {
    for (const [members, parameter, rule] of cases) {
      t.same(refusalOf(members), [parameter, rule], JSON.stringify(members).slice(0, 200));
    }
  });
}

const FIELDS =
  'must have five fields (minute, hour, day of month, month, day of week), or six with the second before them, and has';
const NICKNAMES =
  'must be a cron expression or one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly';
const RANGES = {
  second: '0 to 59',
  minute: '0 to 59',
  hour: '0 to 23',
  'day of month': '1 to 31, L, LW, 15W, ?',
  month: '1 to 12, JAN to DEC',
  'day of week': '0 to 7, SUN to SAT, MON#2, 5L, ?',
};
const wrong = (name: keyof typeof RANGES, field: string) =>
  `has a wrong ${name}: ${JSON.stringify(field)}; right are ${RANGES[name]}, *, and lists, ranges and steps of them`;
const never = (days: string) => `never fires: no year has a day "${days}"`;

const WRONG_FIELDS: readonly (readonly [cron: string, name: keyof typeof RANGES, field: string])[] = [
  ...['60', '*/99', '*/0', '5-1', '0/5', '1-5/0', '1,,2', ',1', '1,', '-1', '1-', '?', '1e1', '0x1'].map(
    (field) => [`${field} * * * *`, 'minute', field] as const,
  ),
  ...['001', 'H', '~', '٣', '１', 'toString', '__proto__'].map(
    (field) => [`${field} * * * *`, 'minute', field] as const,
  ),
  ['60 * * * * *', 'second', '60'],
  ['TZ=UTC * * * * *', 'second', 'TZ=UTC'],
  ...['24', '*/25', '1-24'].map((field) => [`* ${field} * * *`, 'hour', field] as const),
  ...['0', '32', '0W', '32W', 'L-3', 'WL', '1L', '1-31/40', '*/40', 'L,LW', '5,LW', '9-3'].map(
    (field) => [`* * ${field} * *`, 'day of month', field] as const,
  ),
  ...['0', '13', '*/13', 'JANUARY', 'DEC-JAN', 'L'].map(
    (field) => [`* * * ${field} *`, 'month', field] as const,
  ),
  ...['8', '01', '*/8', 'FRI-MON', '6-0', '1#6', '1#0', 'L', 'Monday', '1#1L', '5W', '*\n'].map(
    (field) => [`* * * * ${field}`, 'day of week', field] as const,
  ),
];

judge('cron expressions: the wrong field, and what is right', [
  ...WRONG_FIELDS.map(([cron, name, field]): Case => [{ cron }, 'cron', wrong(name, field)]),
  ...['', ' '].map((cron): Case => [{ cron }, 'cron', `${FIELDS} 0`]),
  ...['constructor', '__proto__', '*'.repeat(200)].map((cron): Case => [{ cron }, 'cron', `${FIELDS} 1`]),
  [{ cron: '* * * *' }, 'cron', `${FIELDS} 4`],
  [{ cron: '* * * * * * *' }, 'cron', `${FIELDS} 7`],
  [{ cron: '*\u00a0* * * *' }, 'cron', `${FIELDS} 4`],
  [{ cron: '@every 5m' }, 'cron', `${FIELDS} 2`],
  [{ cron: '@reboot' }, 'cron', NICKNAMES],
  [{ cron: '@' }, 'cron', NICKNAMES],
  [{ cron: '@constructor' }, 'cron', NICKNAMES],
  [{ cron: `* * * * ${'1,'.repeat(200)}1` }, 'cron', 'has 409 bytes of UTF-8: at most 256'],
  [{ cron: `* * * * *${'\u{1d7d9}'.repeat(80)}` }, 'cron', 'has 329 bytes of UTF-8: at most 256'],
  [{ cron: 5 }, 'cron', 'must be a string'],
  [{ cron: '\ud800 * * * *' }, 'cron', 'is not well-formed Unicode'],
]);

judge('expressions that never fire', [
  [{ cron: '* * 30 2 *' }, 'cron', never('30 2 *')],
  [{ cron: '0 0 30,31 feb ?' }, 'cron', never('30,31 feb ?')],
  [{ cron: '* * 31 2,4,6,9,11 *' }, 'cron', never('31 2,4,6,9,11 *')],
  [{ cron: '0 0 0 31W 4 *' }, 'cron', never('31W 4 *')],
  [{ cron: '0 0 30W 2 *' }, 'cron', never('30W 2 *')],
  [{ cron: '0 0 * * *', exclude: ['0 0 30 2 *'] }, 'exclude', never('30 2 *')],
  // These do, however seldom.
  [{ cron: '0 0 29 2 ?' }, 'nothing', '2028-02-29T00:00:00Z'],
  [{ cron: '0 0 * 2 MON#5' }, 'nothing', '2044-02-29T00:00:00Z'],
  [{ cron: '0 0 29W 2 *' }, 'nothing', '2028-02-29T00:00:00Z'],
  [{ cron: '0 0 * 2 MON#5', first_run: '2072-03-01T00:00:00Z' }, 'nothing', '2112-02-29T00:00:00Z'],
]);

const NONE_LEFT = 'leaves no occurrence in a hundred years';
judge('exclusions that leave nothing, and wrong ones', [
  ...[{ interval: 60 }, { interval: 'P1M' }, { cron: '0 9 * * *' }, { one_off: true, interval: 60 }].flatMap(
    (kind) =>
      [
        ['* * * * *'],
        ['* * * * * *'],
        ['0001-01-01/9999-12-31'],
        ['2026-01-01/2099-12-31', '2100-01-01/2200-01-01'],
        ['* * * * MON-FRI', '* * * * SAT,SUN'],
        ['* 0-11 * * *', '* 12-23 * * *'],
      ].map((exclude): Case => [{ ...kind, exclude }, 'exclude', NONE_LEFT]),
  ),
  [{ interval: 'P1Y', first_run: '2027-05-01T00:00:00Z', exclude: ['* * 1 5 *'] }, 'exclude', NONE_LEFT],
  [{ cron: '0 0 29 2 *', exclude: ['* * * * * *'] }, 'exclude', NONE_LEFT],
  [{ interval: 120, first_run: '2026-12-01T00:00:00Z', exclude: ['*/2 * * * *'] }, 'exclude', NONE_LEFT],
  [
    {
      interval: 60,
      first_run: '2026-01-01T00:00:00Z',
      last_run: '2026-11-29T00:00:00Z',
      exclude: ['* * 26-30 * *'],
    },
    'last_run',
    'leaves no run from now on',
  ],
  ...['', 'constructor', '٢٠٢٧-01-01'].map(
    (entry): Case => [
      { interval: 60, exclude: [entry] },
      'exclude',
      `has ${JSON.stringify(entry)}, which is neither a date (2026-12-25), nor a range of dates (2026-12-24/2026-12-31), nor a cron expression`,
    ],
  ),
  [{ interval: 60, exclude: ['* * * *'] }, 'exclude', `${FIELDS} 4`],
  [{ interval: 60, exclude: ['0 0 0 * *'] }, 'exclude', wrong('day of month', '0')],
  ...[
    '2027-02-30',
    '2027-01-01/',
    '2027-01-01/2027-01-02/2027-01-03',
    '2027-1-1',
    '2027-01-01T00:00:00Z',
    '2027-٠١-01',
  ].map(
    (entry): Case => [
      { interval: 60, exclude: [entry] },
      'exclude',
      `has a wrong date or range of dates: "${entry}"; right are 2026-12-25, 2026-12-24/2026-12-31`,
    ],
  ),
  [
    { interval: 60, exclude: ['2027-01-02/2027-01-01'] },
    'exclude',
    'has a range of dates that ends before it begins: "2027-01-02/2027-01-01"',
  ],
  [{ interval: 60, exclude: Array(101).fill('2027-01-01') }, 'exclude', 'has 101 entries: at most 100'],
  [{ interval: 60, exclude: ['x'.repeat(257)] }, 'exclude', 'has 257 bytes of UTF-8: at most 256'],
  [{ interval: 60, exclude: '2027-01-01' }, 'exclude', 'must be a list of strings'],
  [{ interval: 60, exclude: [5] }, 'exclude', 'must be a list of strings'],
]);

const INTERVAL =
  'must be a whole number of seconds from 1 to 4294967295, or an ISO 8601 duration of whole numbers and as long, such as PT5M, P1D or P1M';
const DURATION =
  'must be a whole number of seconds from 1 to 4294967295, or an ISO 8601 duration of hours, minutes and seconds such as PT5M';
const whole = (least: number, most: number) => `must be a whole number from ${least} to ${most}`;

judge('intervals', [
  ...[
    'P0D',
    'P0M',
    'PT0S',
    'P137Y',
    'P1635M',
    'P49711D',
    'PT4294967296S',
    'P9999999999Y',
    'P99999999999D',
    'P1DT',
  ].map((interval): Case => [{ interval }, 'interval', INTERVAL]),
  ...['PT1', 'P-1D', 'P1.5D', 'P1,5D', 'P1D ', 'P١D', 'PT1H1H', 'P1M1Y', 'P', `P${'1'.repeat(1000)}D`].map(
    (interval): Case => [{ interval }, 'interval', INTERVAL],
  ),
  ...[Number.NaN, Number.POSITIVE_INFINITY, 1e308, 2 ** 53, 0, -0, -1, 1.5, 4_294_967_296].map(
    (interval): Case => [{ interval }, 'interval', typeof interval === 'number' ? INTERVAL : ''],
  ),
  ...['', 'p1d', '+P1D', '-P1D', 'T1H', '60', '__proto__', 'constructor', null, [], {}, true].map(
    (interval): Case => [
      { interval },
      'interval',
      `${INTERVAL} (in JSON, a number or a string with a duration)`,
    ],
  ),
  [{ interval: 'P136Y' }, 'nothing', '2162-11-26T12:00:00Z'],
  [{ interval: 4_294_967_295 }, 'nothing', '2163-01-02T18:28:15Z'],
]);

const TIME =
  'must be an RFC 3339 time with a zone, such as 2030-01-31T12:00:00Z or 2030-01-31T12:00:00+02:00';
judge('times', [
  ...[
    '',
    '10000-01-01T00:00:00Z',
    '2027-01-01T24:00:00Z',
    '2027-06-30T23:59:60Z',
    '2027-1-1T00:00:00Z',
    '٢027-01-01T00:00:00Z',
  ].flatMap((time): Case[] => [
    [{ interval: 60, first_run: time }, 'first_run', TIME],
    [{ cron: '0 9 * * *', last_run: time }, 'last_run', TIME],
  ]),
  [{ interval: 60, first_run: '2027-01-01T00:00:00' }, 'first_run', `${TIME}: the zone is missing`],
  [
    { interval: 60, first_run: '2027-02-29T00:00:00Z' },
    'first_run',
    'names a day that the calendar does not have: 2027-02-29',
  ],
  [
    { interval: 60, first_run: '2100-02-29T00:00:00Z' },
    'first_run',
    'names a day that the calendar does not have: 2100-02-29',
  ],
  [{ interval: 60, first_run: '1969-12-31T23:59:59Z' }, 'first_run', 'must lie in the years 1970 to 9999'],
  [
    { interval: 60, first_run: '9999-12-31T23:59:59-00:01' },
    'first_run',
    'must lie in the years 1970 to 9999',
  ],
  [{ interval: 60, first_run: 5 }, 'first_run', 'must be a string with an RFC 3339 time'],
  [
    { cron: '0 0 * * *', first_run: '9999-12-31T23:59:59Z' },
    'cron',
    'leaves no occurrence from 9999-12-31T23:59:59Z on',
  ],
  [{ interval: 'P1M', first_run: '9999-12-31T23:59:59Z' }, 'nothing', '9999-12-31T23:59:59Z'],
  [
    { interval: 60, first_run: '9999-12-31T23:59:59.999Z', jitter: 86_400 },
    'nothing',
    '9999-12-31T23:59:59.999Z',
  ],
  [
    { interval: 60, last_run: '2020-01-01T00:00:00Z' },
    'last_run',
    'lies before the first occurrence, 2026-11-26T12:01:00Z',
  ],
  [
    { interval: 'P1M', last_run: '2026-12-26T11:59:59Z' },
    'last_run',
    'lies before the first occurrence, 2026-12-26T12:00:00Z',
  ],
  [
    { cron: '0 9 * * *', last_run: '2026-11-27T08:59:59Z' },
    'last_run',
    'lies before the first occurrence, 2026-11-27T09:00:00Z',
  ],
  [
    { interval: 60, first_run: '2020-01-01T00:00:00Z', last_run: '2026-11-26T11:59:59Z' },
    'last_run',
    'leaves no run from now on',
  ],
]);

const NO_ZONE = (name: string) =>
  `must be a name of the IANA time zone database, such as Europe/Istanbul or UTC, and no offset or abbreviation: ${JSON.stringify(name)} is none`;
judge('locations', [
  ...[
    '',
    'Europe/Atlantis',
    '+02:00',
    'UTC+2',
    'IST',
    'BST',
    '__proto__',
    'constructor',
    'SystemV/EST5',
    'Europe/İstanbul',
    'UTC\0',
    'Europe/Istanbul ',
    '../Europe/Istanbul',
    'right/UTC',
  ].map((location): Case => [{ cron: '0 9 * * *', location }, 'location', NO_ZONE(location)]),
  [{ cron: '0 9 * * *', location: 'x'.repeat(65) }, 'location', 'has 65 bytes of UTF-8: at most 64'],
]);

const STEPPED = 'must be at most 10000 for a cron expression, a calendar interval, or with exclude';
judge('limits', [
  ...[{ cron: '* * * * *' }, { interval: 'P1D' }, { interval: 60, exclude: ['2027-01-01'] }].map(
    (kind): Case => [{ ...kind, max_runs: 10_001 }, 'max_runs', STEPPED],
  ),
  [{ interval: 60, max_runs: 10_001 }, 'nothing', '2026-11-26T12:01:00Z'],
  [{ cron: '* * * * *', max_runs: 10_000 }, 'nothing', '2026-11-26T12:00:00Z'],
  ...[0, -1, 1.5, Number.NaN, 4_294_967_296, 1e300, '5'].map(
    (max_runs): Case => [{ interval: 60, max_runs }, 'max_runs', whole(1, 4_294_967_295)],
  ),
  [{ interval: 60, jitter: 86_401 }, 'jitter', 'must be at most 86400 s (a day)'],
  ...[0, -1, 1.5, Number.NaN, 'P1D', '60'].flatMap((value): Case[] => [
    [{ interval: 60, jitter: value }, 'jitter', DURATION],
    [{ interval: 60, misfire_age: value }, 'misfire_age', DURATION],
  ]),
  ...['', 'none', 'ONCE', 'toString'].map(
    (misfire): Case => [{ interval: 60, misfire }, 'misfire', 'must be once or skip or all'],
  ),
  ...['', 'Skip', '__proto__'].flatMap((value): Case[] => [
    [{ cron: '0 9 * * *', gap: value }, 'gap', 'must be skip or run'],
    [{ cron: '0 9 * * *', overlap: value }, 'overlap', 'must be first or both'],
  ]),
]);

const LOCAL = 'means nothing without a cron expression or an interval of days, weeks, months or years';
judge('what means nothing together', [
  ...[{ interval: 60 }, { one_off: true, interval: 60 }].flatMap((kind): Case[] => [
    [{ ...kind, location: 'UTC' }, 'location', `${LOCAL}, or exclude`],
    [{ ...kind, gap: 'run' }, 'gap', LOCAL],
    [{ ...kind, overlap: 'both' }, 'overlap', LOCAL],
  ]),
  [{ one_off: true, interval: 60, max_runs: 1 }, 'max_runs', 'means nothing for a one_off job'],
  [
    { one_off: true, interval: 60, last_run: '2030-01-01T00:00:00Z' },
    'last_run',
    'means nothing for a one_off job',
  ],
  [{ cron: '0 9 * * *', interval: 60 }, 'cron', 'and interval exclude each other'],
  [{ cron: '0 9 * * *', one_off: true }, 'cron', 'and one_off=true exclude each other'],
  [{ cron: '0 9 * * *', immediate: true }, 'cron', 'and immediate=true exclude each other'],
  [{ interval: 'P1D', phase: 'spread' }, 'phase', 'is for jobs with an interval of a fixed length'],
  [
    { interval: 60, not_before: '2030-01-01T00:00:00Z' },
    'not_before',
    'is taken by POST and PATCH, of a job that is stored',
  ],
  [{ interval: 60, shift: 1 }, 'shift', 'is taken by POST and PATCH, of a job that is stored'],
]);

t.test('an empty list excludes nothing, and is no rule', async (t) => {
  t.equal(put({ interval: 60, exclude: [] }).schedule.rules, undefined);
});

/** How often a search asks for the next of the times that may be excluded. */
function stepsOf(exclude: string[], intervalMs: number, location: string): { steps: number; found: number } {
  const times = new IntervalTimes(at('2026-01-01'), intervalMs);
  let steps = 0;
  const counted: Timetable = {
    firstAtOrAfter: (time) => {
      steps++;
      return times.firstAtOrAfter(time);
    },
    lastAtOrBefore: (time) => times.lastAtOrBefore(time),
    count: (from, until, limit) => times.count(from, until, limit),
  };
  const found = new WithoutExcluded(counted, exclusionOf(exclude), zoneOf(location)).firstAtOrAfter(NOW);
  return { steps, found };
}

t.test('the search where nothing is left is bounded', async (t) => {
  const century = 36_525 + 400;
  for (const interval of [1000, 7000, 60_000, 86_399_000]) {
    const { steps, found } = stepsOf(['* * * * *'], interval, 'America/New_York');
    t.equal(found, Number.POSITIVE_INFINITY);
    t.ok(steps <= century, `a step for each day: ${steps}`);
  }
  t.ok(stepsOf(['0001-01-01/9999-12-31'], 1000, 'UTC').steps < 10, 'one for a range of dates');
  const alternate = stepsOf(['*/2 * * * * *'], 2000, 'UTC');
  t.equal(alternate.found, Number.POSITIVE_INFINITY);
  t.ok(
    alternate.steps <= century + 2 * 43_200,
    `of seconds that alternate a day is searched: ${alternate.steps}`,
  );
  const changing = stepsOf(['*/2 * * * * *'], 2000, 'Africa/Casablanca');
  t.ok(changing.steps <= century + 203 * 43_200, `and those at which the clock changes: ${changing.steps}`);
});
