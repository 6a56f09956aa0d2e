import { CronExpressionParser } from 'cron-parser';
import t from 'tap';
import { timetableOf } from '../../src/job/timetable.ts';
import { cron } from './schedules.ts';

const ZONES = ['UTC', 'America/New_York', 'Europe/Istanbul', 'Australia/Lord_Howe', 'Asia/Kathmandu'];

const EXPRESSIONS = [
  ...['* * * * *', '*/7 * * * *', '0 */6 * * *', '30 9 * * 1-5', '15,45 8-18/2 * * *', '0 0 1 * *'],
  ...['5 4 29 2 *', '0 12 31 * *', '0 0 13 * 5', '59 23 L * *', '0 0 * * 1#2', '0 6 1,15 1-6 *'],
  ...['*/13 * * * * *', '10 20 3 * * 0', '0 0 0 1 1 *', '0 30 12 * 3 MON'],
];

/** Midsummer and midwinter of either half of the world: weeks from any change of a clock. */
const MOMENTS = [
  '2026-01-15T03:21:09Z',
  '2027-07-20T17:00:00Z',
  '2038-01-18T23:59:59Z',
  '2099-12-30T12:00:00Z',
];

t.test('the next times are those of cron-parser, where no clock changes', async (t) => {
  let compared = 0;
  for (const tz of ZONES) {
    for (const text of EXPRESSIONS) {
      const timetable = timetableOf(cron(text, { location: tz }), 1);
      for (const moment of MOMENTS) {
        const theirs = CronExpressionParser.parse(text, { currentDate: moment, tz });
        const horizon = Date.parse(moment) + 20 * 86_400_000;
        let time = Date.parse(moment);
        for (let count = 0; count < 10; count++) {
          const expected = theirs.next().toDate().getTime();
          time = timetable.firstAtOrAfter(time + 1);
          if (expected > horizon && time > horizon) break;
          t.equal(new Date(time).toISOString(), new Date(expected).toISOString(), `${text} in ${tz}`);
          compared++;
        }
      }
    }
  }
  t.ok(compared > 1000, `${compared} times were compared`);
});
