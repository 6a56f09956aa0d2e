import fc from 'fast-check';
import t from 'tap';
import { CronPattern } from '../../src/job/cron.ts';
import { timetableOf } from '../../src/job/timetable.ts';
import { at, every, show } from './schedules.ts';

type LocalTime = { readonly hour: number; readonly minute: number; readonly second: number };

/** What each excludes of the local time, told without Dalga. */
const EXCLUSIONS: ReadonlyMap<string, (time: LocalTime) => boolean> = new Map([
  ['* 0-22 * * *', ({ hour }) => hour <= 22],
  ['* 2 * * *', ({ hour }) => hour === 2],
  ['*/2 * * * *', ({ minute }) => minute % 2 === 0],
  ['0,20,40 * * * *', ({ minute }) => minute % 20 === 0],
  ['10,30,50 1-23 * * *', ({ hour, minute }) => minute % 20 === 10 && hour > 0],
  ['0 1-23/2 * * *', ({ hour, minute }) => minute === 0 && hour % 2 === 1],
  ['30 0-22/2 * * *', ({ hour, minute }) => minute === 30 && hour % 2 === 0],
  ['1-59/2 * * * * *', ({ second }) => second % 2 === 1],
  ['*/2 0-1,3-23 * * *', ({ hour, minute }) => minute % 2 === 0 && hour !== 2],
  ['*/10 0,2-23 * * *', ({ hour, minute }) => minute % 10 === 0 && hour !== 1],
]);

const clocks = new Map<string, Intl.DateTimeFormat>();

function localTime(location: string, time: number): LocalTime {
  let clock = clocks.get(location);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat('en-GB', { timeZone: location, hourCycle: 'h23', timeStyle: 'medium' });
    clocks.set(location, clock);
  }
  const [hour, minute, second] = clock.format(time).split(':').map(Number);
  return { hour: hour!, minute: minute!, second: second! };
}

const changes = fc.constantFrom(
  ['America/New_York', at('2026-03-08T07:00Z')] as const,
  ['America/New_York', at('2026-11-01T06:00Z')] as const,
  ['Australia/Lord_Howe', at('2026-04-04T15:00Z')] as const,
  ['Australia/Lord_Howe', at('2026-10-03T15:30Z')] as const,
  ['Europe/Berlin', at('2026-03-29T01:00Z')] as const,
);
const HOUR = 3_600_000;

t.test(
  'whatever was asked before, a day after a change of the clock has all that is not excluded',
  async (t) => {
    const cases = fc.property(
      changes,
      fc.constantFrom(60, 600, 1200, 2400, 3600, 5400, 7),
      fc.integer({ min: 0, max: 59 }),
      fc.uniqueArray(fc.constantFrom(...EXCLUSIONS.keys()), { minLength: 1, maxLength: 3 }),
      fc.array(fc.integer({ min: -60, max: 60 }), { maxLength: 6 }),
      ([location, change], interval, phase, exclude, askedBefore) => {
        const firstRun = at('2026-01-01') + (interval === 7 ? 1000 : 60_000) * phase;
        const timetable = timetableOf(every(interval, { location, exclude }, firstRun), 1);
        // What it is asked leaves notes of what it found.
        for (const hours of askedBefore) {
          timetable.firstAtOrAfter(change + hours * HOUR);
          timetable.lastAtOrBefore(change + hours * HOUR);
        }
        const isFree = (time: number): boolean => {
          const local = localTime(location, time);
          return !exclude.some((entry) => EXCLUSIONS.get(entry)?.(local));
        };
        const ms = interval * 1000;
        const span = interval === 7 ? 3 * HOUR : 54 * HOUR;
        let expected = Number.NaN;
        for (let k = Math.floor((change + span - firstRun) / ms); firstRun + k * ms > change - span; k--) {
          const time = firstRun + k * ms;
          if (isFree(time)) expected = time;
          if (Number.isNaN(expected)) continue;
          const found = timetable.firstAtOrAfter(time);
          if (found !== expected) throw new Error(`from ${show(time)}: ${show(found)} for ${show(expected)}`);
        }
      },
    );
    const { failed, counterexample, errorInstance } = fc.check(cases, { numRuns: 400, seed: 20_261_126 });
    t.notOk(failed, failed ? `${JSON.stringify(counterexample)} ${errorInstance}` : 'holds');
  },
);

t.test('the names of every object are no nicknames', async (t) => {
  for (const text of ['constructor', 'toString', '__proto__', '@hasOwnProperty']) {
    t.throws(() => new CronPattern(text, 'cron'), { code: 'invalid_parameter' }, text);
  }
});
