import t from 'tap';
import { decodeExceptions } from '../../src/job/exceptions.ts';
import { CatchUp } from '../../src/scheduler-thread/catch-up.ts';
import { Occurrences } from '../../src/scheduler-thread/occurrences.ts';
import { ProgressReport } from '../../src/scheduler-thread/progress-report.ts';
import { intervalRow } from '../helpers/rows.ts';

function setUp(reuseFor?: number) {
  const occurrences = new Occurrences('', () => 0.5, { misfireAfter: 60_000, backlog: 1000 });
  const time = { now: 5000, monotonic: 0, cost: 0 };
  const clock = {
    now: () => {
      time.monotonic += time.cost;
      return time.now;
    },
    monotonic: () => time.monotonic,
  };
  return {
    occurrences,
    time,
    report: new ProgressReport(occurrences, clock, { limit: 2, reuseFor, catchUp: new CatchUp(null, 0) }),
  };
}

t.test('while the table loads a report says nothing of the progress', async (t) => {
  const { report } = setUp();
  t.match(report.read(3, { loading: true }), { acknowledged: 3, frontier: null });
  t.match(report.read(3, {}), { acknowledged: 3, frontier: 5001 });
});

t.test('a clock that steps back does not take the frontier back', async (t) => {
  const { report, time, occurrences } = setUp();
  t.equal(report.read(0, {}).frontier, 5001);
  time.now = 1000;
  t.equal(report.read(0, {}).frontier, 5001, 'what ran before the step stays behind it');
  const slot = occurrences.arena.add(intervalRow(1, 1000, 2000));
  occurrences.queue.set(slot, 2000);
  t.equal(report.read(0, {}).frontier, 2000, 'but for what is still to run');
});

t.test('a frontier that took long is used again, with the changes that it knew', async (t) => {
  const { report, time, occurrences } = setUp();
  const slot = occurrences.arena.add(intervalRow(1, 1000, 9000));
  for (let count = 0; count < 1000; count++) occurrences.hold(occurrences.addFlight(slot, 9000, 0));
  time.cost = 10;
  t.match(report.read(1, {}), { acknowledged: 1, frontier: 5001 });
  time.now = 6000;
  t.match(report.read(2, {}), { acknowledged: 1, frontier: 5001 });
  t.match(report.read(2, { fresh: true }), { acknowledged: 2, frontier: 6001 });
  time.now = 7000;
  time.monotonic += 200;
  t.match(report.read(3, {}), { acknowledged: 3, frontier: 7001 });
});

t.test(
  'what the list has no place for holds the frontier back to the first time that it stands for',
  async (t) => {
    const { report, occurrences } = setUp();
    // (id, time, behind), all of jobs that run every second.
    const unsettled = [
      [1, 4000, 0],
      [2, 4500, 3],
      [3, 3000, 0],
      [4, 4100, 0],
    ] as const;
    for (const [id, time, behind] of unsettled) {
      const slot = occurrences.arena.add(intervalRow(id, 1000, time));
      occurrences.hold(occurrences.addFlight(slot, time, behind));
    }
    const { frontier, exceptions } = report.read(0, {});
    t.equal(frontier, 4000);
    t.same([...decodeExceptions(exceptions).ids], [2, 3]);
  },
);

t.test('a job that is yet to count what was missed before the start is listed', async (t) => {
  const { report, occurrences } = setUp();
  const slot = occurrences.arena.add(intervalRow(1, 1000, 2000));
  occurrences.queue.set(slot, 7000);
  occurrences.debts.set(slot, 2);
  const { frontier, exceptions } = report.read(0, {});
  t.equal(frontier, 5001);
  const { ids, times, behind } = decodeExceptions(exceptions);
  t.same([[...ids], [...times], [...behind]], [[1], [7000], [2]]);
});

t.test('a frontier of much that took long is not used again for little', async (t) => {
  const { report, time, occurrences } = setUp();
  const slot = occurrences.arena.add(intervalRow(1, 1000, 4000));
  for (let count = 0; count < 1000; count++) occurrences.hold(occurrences.addFlight(slot, 4000, 0));
  time.cost = 100;
  t.equal(report.read(1, {}).acknowledged, 1);
  time.cost = 0;
  time.monotonic += 50;
  t.equal(report.read(2, {}).acknowledged, 1, 'it is used again');
  occurrences.remove(slot);
  t.equal(report.read(3, {}).acknowledged, 3);
});

t.test(
  'a frontier of much is used again for the time between two checkpoints, one of little never',
  async (t) => {
    const { report, time, occurrences } = setUp(175);
    const slot = occurrences.arena.add(intervalRow(1, 1000, 9000));
    t.equal(report.read(1, {}).acknowledged, 1);
    time.monotonic = 50;
    t.equal(report.read(2, {}).acknowledged, 2);
    for (let count = 0; count < 1000; count++) occurrences.hold(occurrences.addFlight(slot, 9000, 0));
    time.monotonic = 224;
    t.equal(report.read(3, {}).acknowledged, 2);
    t.equal(report.read(3, { fresh: true }).acknowledged, 3);
    time.monotonic = 224 + 174;
    t.equal(report.read(4, {}).acknowledged, 3);
    time.monotonic = 224 + 175;
    t.equal(report.read(5, {}).acknowledged, 5);
  },
);

t.test('a frontier of little that took long is used again for no longer when there is much', async (t) => {
  const { report, time, occurrences } = setUp();
  const slot = occurrences.arena.add(intervalRow(1, 1000, 9000));
  time.cost = 15;
  t.equal(report.read(1, {}).acknowledged, 1);
  time.cost = 0;
  for (let count = 0; count < 9000; count++) occurrences.hold(occurrences.addFlight(slot, 9000, 0));
  time.monotonic += 15 * 20 + 1;
  t.equal(report.read(2, {}).acknowledged, 2);
});
