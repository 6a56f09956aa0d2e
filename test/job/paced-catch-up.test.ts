import t from 'tap';
import { type Lapse, owedAfter, type PacedCatchUp } from '../../src/job/paced-catch-up.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** Each so many ms from `first` on; missed when older than 60, or its interval. */
const every = (interval: number, first: number) => ({
  firstAtOrAfter: (time: number) => Math.max(first, first + Math.ceil((time - first) / interval) * interval),
  isMissed: (time: number, clock: number) => clock - time > Math.min(60, interval),
});
const lapse = (from: number, clock: number, missedFrom = NEVER, waitsFrom = from): Lapse => ({
  ...{ from, clock, missedFrom, waitsFrom },
});
const paced = (lapses: readonly Lapse[], missedFrom: number, through: number): PacedCatchUp => ({
  ...{ misfireAfter: 60, known: 0, lapses, missedFrom, through },
});

t.test('what missed its time waits from there, and runs on time meanwhile', async (t) => {
  const state = paced([lapse(100, 1000)], 200, 1050);
  t.same(owedAfter(state, every(500, 250)), { missed: 250, next: 1250 });
  t.same(owedAfter(state, every(500, 150)), { missed: NEVER, next: 1150 }, 'those before were taken');
  t.same(owedAfter(state, every(900, 970)), { missed: NEVER, next: 1870 }, 'it was late, and not missed');
  t.same(owedAfter(state, every(900, 1020)), { missed: NEVER, next: 1920 });
});

t.test('a regular time stands for what was missed', async (t) => {
  const state = paced([lapse(100, 1000)], 200, 1300);
  t.same(owedAfter(state, every(500, 250)), { missed: NEVER, next: 1750 });
  t.same(owedAfter(state, every(500, 350)), { missed: 350, next: 1350 });
});

t.test('where there is place those that come first are listed', async (t) => {
  const state = paced([lapse(100, 1000, NEVER, 300)], 300, 1050);
  t.same(owedAfter(state, every(500, 250)), { missed: NEVER, next: 1250 });
  t.same(owedAfter(state, every(500, 300)), { missed: 300, next: 1300 });
});

t.test('of two lapses the first counts in which it missed its time and did not run since', async (t) => {
  const state = paced([lapse(100, 1000), lapse(1100, 2000, 200)], 250, 2010);
  t.same(owedAfter(state, every(500, 300)), { missed: 300, next: 2300 }, 'it waits since the first');
  t.same(owedAfter(state, every(500, 150)), { missed: 1150, next: 2150 }, 'it was taken before the second');
  t.same(owedAfter(state, every(500, 540)), { missed: 1540, next: 2040 }, 'it ran in between');
});

t.test('in the middle of one', async (t) => {
  const state = paced([lapse(100, 1000)], 150, 400);
  t.equal(owedAfter(state, every(500, 200)).missed, 200);
  t.same(owedAfter(state, every(900, 450)), { missed: NEVER, next: 450 }, 'it was not looked at yet');
});
