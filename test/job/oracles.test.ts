import t from 'tap';
import { timetableOf } from '../../src/job/timetable.ts';
import { calendar, cron, show } from './schedules.ts';
import { GNU_DATE } from './tables/gnu-date.ts';
import { SYSTEMD_CALENDAR } from './tables/systemd-calendar.ts';

const rowsOf = (table: string) =>
  table
    .trim()
    .split('\n')
    .map((line) => line.split('|'));

t.test('what systemd says of the same expression', async (t) => {
  const rows = rowsOf(SYSTEMD_CALENDAR);
  t.equal(rows.length, 53);
  for (const [text = '', location = '', from = '', said = ''] of rows) {
    const expected = said.split(',').map((time) => `${time.replace(' ', 'T')}Z`);
    const timetable = timetableOf(cron(text, { location }), 1);
    const found: string[] = [];
    for (let time = Date.parse(from); found.length < expected.length; time++) {
      time = timetable.firstAtOrAfter(time);
      found.push(show(time));
    }
    t.same(found, expected, `${text} in ${location}`);
    const backwards: string[] = [];
    for (let time = Date.parse(expected.at(-1)!); backwards.length < expected.length; time--) {
      time = timetable.lastAtOrBefore(time);
      backwards.unshift(show(time));
    }
    t.same(backwards, expected, 'and backwards');
  }
});

t.test('what GNU date says of local times', async (t) => {
  const rows = rowsOf(GNU_DATE);
  t.equal(rows.length, 227);
  for (const [location = '', local = '', seconds = ''] of rows) {
    const [, , month, day, hour, minute, second = '0'] = /^(\d+)-(\d+)-(\d+) (\d+):(\d+)(?::(\d+))?$/.exec(
      local,
    )!;
    const timetable = timetableOf(cron(`${second} ${minute} ${hour} ${day} ${month} *`, { location }), 1);
    const expected = Number(seconds) * 1000;
    // The expression fires once a year, or on a leap day only.
    t.equal(show(timetable.firstAtOrAfter(expected - 86_400_000)), show(expected), `${location} ${local}`);
    t.equal(show(timetable.lastAtOrBefore(expected + 86_400_000)), show(expected), 'and backwards');
  }
});

/** The table's times of a zone in a year or month, ms. */
const said = (zone: string, prefix: string): number[] =>
  rowsOf(GNU_DATE)
    .filter(([location, local]) => location === zone && local!.startsWith(prefix))
    .map(([, , seconds]) => Number(seconds) * 1000);

t.test('calendar intervals meet the local times that GNU date tells', async (t) => {
  const cases: [zone: string, prefix: string, duration: string, times: number][] = [
    // From 31 January: the last day of every month, of a leap year, of another, and of 2100, which is none.
    ...['America/New_York', 'Europe/Istanbul', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC'].flatMap(
      (zone) =>
        ['2016', '2027', '2100'].map((year): [string, string, string, number] => [zone, year, 'P1M', 12]),
    ),
    // The local time stays while the clocks change.
    ['Europe/Istanbul', '2016-03-2', 'P1D', 5],
  ];
  for (const [zone, prefix, duration, count] of cases) {
    const expected = said(zone, prefix).filter((_, index) => index < count);
    t.equal(expected.length, count, `${zone} ${prefix}`);
    const timetable = timetableOf(calendar(duration, expected[0]!, { location: zone }), 1);
    for (const [index, time] of expected.entries()) {
      t.equal(
        show(timetable.firstAtOrAfter((expected[index - 1] ?? -1) + 1)),
        show(time),
        `${zone} ${duration}`,
      );
      t.equal(timetable.count(0, time + 1, 1000), index + 1);
    }
  }
});

t.test('a day after another keeps its local time where GNU date says when that is', async (t) => {
  for (const [zone, hour] of [
    ['America/New_York', '09:00'],
    ['Australia/Lord_Howe', '12:30'],
  ]) {
    const times = rowsOf(GNU_DATE).filter(
      ([location, local]) => location === zone && local!.endsWith(` ${hour}`),
    );
    t.ok(times.length >= 12);
    const first = Number(times[0]![2]) * 1000;
    const timetable = timetableOf(calendar('P1D', first, { location: zone! }), 1);
    for (const [, local, seconds] of times) {
      const time = Number(seconds) * 1000;
      t.equal(show(timetable.firstAtOrAfter(time - 3_600_000)), show(time), local!);
      t.equal(show(timetable.lastAtOrBefore(time + 3_600_000)), show(time), local!);
    }
  }
});
