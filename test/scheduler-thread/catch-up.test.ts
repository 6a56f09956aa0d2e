import t from 'tap';
import { caughtUpThrough } from '../../src/job/caught-up.ts';
import { CatchUp } from '../../src/scheduler-thread/catch-up.ts';

const ANY = Number.POSITIVE_INFINITY;
const NO_TURNS = { earliestClock: Number.POSITIVE_INFINITY, highestTime: 0 };

/** Turns in the order of their times. */
const from = (earliestClock: number, highestTime = 0) => ({ earliestClock, highestTime });

t.test('each step holds for the jobs whose first times it passed', async (t) => {
  const catchUp = new CatchUp(null, 1000);
  t.equal(catchUp.note(1400, 9000, from(8900.5)), true);
  t.equal(catchUp.note(1700, 9100, from(9000)), true);
  const caughtUp = catchUp.read(ANY)!;
  t.same(caughtUp, { origin: 1000, untils: [1400, 1700], throughs: [8901, 9001] });
  const through = (first: number) => caughtUpThrough(caughtUp, first);
  t.same([1000, 1399, 1400, 1699, 1700].map(through), [8901, 8901, 9001, 9001, 0]);
});

t.test('what the list of exceptions has no place for is not called settled', async (t) => {
  const catchUp = new CatchUp(null, 1000);
  catchUp.note(1400, 9000, from(8900));
  catchUp.note(1700, 9100, from(9000));
  t.same(catchUp.read(1500), { origin: 1000, untils: [1400, 1500], throughs: [8901, 9001] });
  t.same(catchUp.read(1400), { origin: 1000, untils: [1400], throughs: [8901] });
  t.equal(catchUp.read(1000), null);
});

t.test('turns count until a step has counted them', async (t) => {
  const catchUp = new CatchUp(null, 1000);
  t.equal(catchUp.note(1000, 9000, from(8900)), false, 'the queue has not come further');
  t.equal(catchUp.note(1200, 9000, NO_TURNS), false, 'nothing was taken: what was first is gone');
  t.equal(catchUp.read(ANY), null);
  t.equal(catchUp.note(1300, 9100, from(8900)), true);
  t.equal(catchUp.note(1400, 9100, NO_TURNS), false);
  t.same(catchUp.read(ANY), { origin: 1000, untils: [1400], throughs: [8901] });
});

t.test('what was taken before its turn counts until the queue has come so far', async (t) => {
  const catchUp = new CatchUp(null, 1000);
  t.equal(catchUp.note(1300, 9100, from(8900, 1500)), false);
  t.equal(catchUp.note(1500, 9200, from(8900, 1500)), false, 'there may be more of that time');
  t.equal(catchUp.note(1600, 9300, from(8900, 1599)), true);
  t.same(catchUp.read(ANY), { origin: 1000, untils: [1600], throughs: [8901] });
});

t.test('a change that came to the queue late', async (t) => {
  const catchUp = new CatchUp(null, 1000);
  catchUp.note(9000, 8000, from(7000));
  catchUp.changed(900);
  catchUp.changed(8100);
  catchUp.note(9100, 20_000, from(19_000));
  t.ok(catchUp.read(ANY), 'from before the start, and of the time after the point that it is told from');
  catchUp.changed(8001);
  t.equal(catchUp.read(ANY), null, 'between them it ends what can be told');
  t.equal(catchUp.note(9200, 20_000, from(19_100)), false);
  t.equal(catchUp.read(ANY), null);
});

t.test('a clock that steps back takes the steps before along', async (t) => {
  const catchUp = new CatchUp(null, 1000);
  catchUp.note(1400, 9000, from(8900));
  catchUp.note(1700, 9100, from(9000));
  catchUp.note(1800, 9100, from(8000));
  t.same(catchUp.read(ANY), { origin: 1000, untils: [1800], throughs: [8001] });
  catchUp.note(1900, 9100, from(900));
  t.equal(catchUp.read(ANY), null, 'to before it all');
});

t.test('it ends when nothing is due, and another is told from then on', async (t) => {
  const catchUp = new CatchUp(null, 1000);
  catchUp.note(1400, 9000, from(8900));
  t.equal(catchUp.note(9080, 9100, from(9000)), true);
  t.equal(catchUp.read(ANY), null, 'so little is no catch-up');
  t.equal(catchUp.note(9101, 9100.5, from(9000)), true);
  t.equal(catchUp.note(9200, 9900, from(9300)), true);
  t.same(catchUp.read(ANY), { origin: 9101, untils: [9200], throughs: [9301] });
});

t.test('one that broke off goes on', async (t) => {
  const durable = { origin: 1000, untils: [1400], throughs: [8901] };
  const catchUp = new CatchUp(durable, 1400);
  t.same(catchUp.durable, durable);
  t.equal(new CatchUp(durable, 1401).durable, null, 'unless the watermark is beyond it');
  catchUp.note(1700, 20_000, from(19_000));
  t.same(catchUp.read(ANY), { origin: 1000, untils: [1400, 1700], throughs: [8901, 19_001] });
});

t.test('of many steps each still says nothing that is not so', async (t) => {
  const catchUp = new CatchUp(null, 0);
  for (let step = 1; step <= 1000; step++) catchUp.note(step * 10, 1_000_000 + step, from(900_000 + step));
  const caughtUp = catchUp.read(ANY)!;
  t.ok(caughtUp.untils.length <= 128);
  t.equal(caughtUp.untils.at(-1), 10_000);
  for (let first = 0; first < 10_000; first += 7) {
    const exact = 900_000 + Math.floor(first / 10) + 2;
    const through = caughtUpThrough(caughtUp, first);
    if (through > exact || through < exact - 32) t.fail(`${first}: ${through}, and it is ${exact}`);
  }
});

t.test('after a step back another begins only where all jobs wait for their times alike', async (t) => {
  const durable = { origin: 1, untils: [10_842], throughs: [12_108] };
  const catchUp = new CatchUp(durable, 10_842);
  // A job that was planned after 1 waits for its first time from the watermark on, others for theirs from 12108 on.
  t.equal(catchUp.note(11_622, 7778, NO_TURNS), true);
  t.equal(catchUp.note(12_126, 21_253, from(21_253)), true);
  t.same(catchUp.read(ANY), { origin: 1, untils: [10_842, 12_126], throughs: [12_108, 21_254] });
  t.equal(catchUp.note(21_300, 21_260, from(21_253)), true);
  t.equal(catchUp.note(21_400, 29_000, from(28_000)), true);
  t.same(catchUp.read(ANY), { origin: 21_261, untils: [21_400], throughs: [28_001] });
});
