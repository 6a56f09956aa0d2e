import t from 'tap';
import { Occurrences } from '../../src/scheduler-thread/occurrences.ts';
import { ProgressReport } from '../../src/scheduler-thread/progress-report.ts';
import { intervalRow } from '../helpers/rows.ts';

function setUp() {
  const occurrences = new Occurrences('', () => 0.5);
  const time = { now: 5000, monotonic: 0, cost: 0 };
  const clock = {
    now: () => {
      time.monotonic += time.cost;
      return time.now;
    },
    monotonic: () => time.monotonic,
  };
  return { occurrences, time, report: new ProgressReport(occurrences, clock) };
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
  const { report, time } = setUp();
  time.cost = 10;
  t.match(report.read(1, {}), { acknowledged: 1, frontier: 5001 });
  time.now = 6000;
  t.match(report.read(2, {}), { acknowledged: 1, frontier: 5001 });
  t.match(report.read(2, { fresh: true }), { acknowledged: 2, frontier: 6001 });
  time.now = 7000;
  time.monotonic += 200;
  t.match(report.read(3, {}), { acknowledged: 3, frontier: 7001 });
});
