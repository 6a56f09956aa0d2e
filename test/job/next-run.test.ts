import t from 'tap';
import type { Schedule } from '../../src/job/job.ts';
import { countMissed, decideTurn } from '../../src/job/misfire.ts';
import { firstAtOrAfter, lastAtOrBefore, nextRun } from '../../src/job/next-run.ts';
import { intervalRow, oneOffRow } from '../helpers/rows.ts';

const every = (intervalMs: number, firstRun: number): Schedule =>
  intervalRow(1, intervalMs, firstRun).schedule;

t.test('the times of an interval', async (t) => {
  const schedule = every(60_000, 1_000_500);
  t.equal(firstAtOrAfter(schedule, 0, 1), 1_000_500, 'before the first run');
  t.equal(firstAtOrAfter(schedule, 1_000_500, 1), 1_000_500, 'exactly then');
  t.equal(firstAtOrAfter(schedule, 1_000_501, 1), 1_060_500);
  t.equal(firstAtOrAfter(schedule, 1_060_500, 1), 1_060_500);
  t.equal(lastAtOrBefore(schedule, 1_060_499, 1), 1_000_500);
  t.equal(lastAtOrBefore(schedule, 999_999, 1), Number.NEGATIVE_INFINITY);
});

t.test('a step of 170 years is arithmetic, and keeps the phase', async (t) => {
  const schedule = every(1000, 1_800_000_000_123);
  const later = 1_800_000_000_000 + 170 * 365 * 86_400_000;
  t.equal(firstAtOrAfter(schedule, later, 1) % 1000, 123);
});

t.test('next_run', async (t) => {
  const row = intervalRow(1, 60_000, 100_000, { since: 500_000 });
  t.equal(nextRun(row, 0), 520_000, 'nothing from before since');
  t.equal(nextRun(row, 600_000), 640_000);
  t.equal(nextRun({ ...row, enabled: false }, 0), null, 'paused');
  t.equal(nextRun(oneOffRow(2, 5000), 9000), 5000, 'a one-off keeps its time while it is stored');
});

t.test('a turn', async (t) => {
  const turn = { runs: true, time: 0, behind: 0, skipped: 0, next: 0 };
  const cases: [string, { due: number; interval: number; now: number }, [number, number, number]][] = [
    ['in time', { due: 100_000, interval: 60_000, now: 100_001 }, [100_000, 0, 160_000]],
    ['late, the next not due yet', { due: 100_000, interval: 60_000, now: 159_999 }, [100_000, 0, 160_000]],
    [
      'the next is due: it supersedes',
      { due: 100_000, interval: 60_000, now: 160_000 },
      [160_000, 1, 220_000],
    ],
    [
      'one run for many missed',
      { due: 100_000, interval: 1000, now: 200_000_500 },
      [200_000_000, 199_900, 200_001_000],
    ],
    ['a one-off', { due: 100_000, interval: 0, now: 900_000 }, [100_000, 0, Number.POSITIVE_INFINITY]],
  ];
  for (const [name, { due, interval, now }, expected] of cases) {
    decideTurn(turn, due, interval, now);
    t.same([turn.time, turn.behind, turn.next], expected, name);
  }
});

t.test('missed is not late', async (t) => {
  t.equal(countMissed(100_000, 0, 300_000, 160_000, 60_000), 0, '60 s late just runs');
  t.equal(countMissed(100_000, 0, 300_000, 160_001, 60_000), 1, 'older than that it was missed');
  t.equal(countMissed(100_000, 0, 1000, 100_999, 60_000), 0, 'a short interval is the limit');
  t.equal(countMissed(100_000, 4, 1000, 100_000, 60_000), 4, 'it stands for those before');
  t.equal(countMissed(100_000, 0, 0, 200_000, 60_000), 1, 'a one-off');
});

t.test('a schedule that cannot be told any more has no next run', async (t) => {
  const schedule = { kind: 'cron', cron: '* * * * *', intervalMs: null, intervalText: null } as const;
  const row = intervalRow(1, 60_000, 0);
  const rules = { location: 'Europe/Atlantis' };
  t.equal(nextRun({ ...row, schedule: { ...schedule, firstRun: 0, anchored: false, rules } }, 0), null);
});
