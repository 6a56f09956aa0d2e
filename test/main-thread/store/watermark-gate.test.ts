import t from 'tap';
import { encodeExceptions, NO_EXCEPTIONS } from '../../../src/job/exceptions.ts';
import { WatermarkGate } from '../../../src/main-thread/store/watermark-gate.ts';
import { listed } from '../../helpers/exceptions.ts';
import { seededRandom } from '../../helpers/random.ts';

const NONE = encodeExceptions(NO_EXCEPTIONS);
const ONE = listed([[7, 90]]);

function gateAt(watermark: number): WatermarkGate {
  return new WatermarkGate({ watermark, exceptions: NONE }, watermark);
}

function report(
  gate: WatermarkGate,
  acknowledged: number,
  frontier: number | null,
  exceptions = NONE,
  settled = 1,
) {
  gate.report({ acknowledged, frontier, exceptions, settledCount: settled });
}

/** Writes what is to be written; the watermark that is durable then. */
function write(gate: WatermarkGate, committed = true): number {
  if (gate.take() !== null) gate.finished(committed);
  return gate.durable.watermark;
}

t.test('without a batch the watermark is the frontier', async (t) => {
  const gate = gateAt(100);
  t.equal(gate.take(), null, 'nothing before the first report');
  report(gate, 0, 150.7);
  t.strictSame(gate.take(), { watermark: 150, exceptions: NONE, exceptionsChanged: false });
  gate.finished(true);
  t.equal(gate.take(), null, 'nothing when nothing changed');
});

t.test('no watermark passes the stamp of a batch that is open', async (t) => {
  const gate = gateAt(100);
  const stamp = gate.open(120);
  report(gate, 0, 200);
  t.equal(write(gate), stamp);
  gate.rolledBack(stamp);
  t.equal(write(gate), 200, 'a certain rollback lifts the cap');
});

t.test('a committed batch holds it until a report made after the acknowledgement', async (t) => {
  const gate = gateAt(100);
  const stamp = gate.open(120);
  report(gate, 0, 200);
  gate.committed(stamp, 1);
  t.equal(write(gate), stamp, 'the report that is held was made before');
  report(gate, 0, 300);
  t.equal(write(gate), stamp, 'so was this one, whenever it came');
  report(gate, 1, 310);
  t.equal(write(gate), 310);
});

t.test('several batches: the oldest that is not covered counts', async (t) => {
  const gate = gateAt(0);
  const stamps = [gate.open(10), gate.open(20), gate.open(30)];
  gate.committed(stamps[0]!, 1);
  gate.committed(stamps[1]!, 2);
  report(gate, 1, 100);
  t.equal(write(gate), 20);
  report(gate, 2, 100);
  t.equal(write(gate), 30, 'the third is still open');
});

t.test('stamps grow, and are never below a watermark that was sent', async (t) => {
  const gate = gateAt(100);
  t.equal(gate.open(50.9), 101, 'above the stamps of earlier owners');
  t.equal(gate.open(50), 102);
  t.equal(gate.open(500.9), 500);
  for (const stamp of [101, 102, 500]) gate.rolledBack(stamp);
  report(gate, 0, 900);
  gate.take();
  gate.finished(false);
  t.equal(gate.durable.watermark, 100);
  t.equal(gate.open(600), 900, 'it may have been written, as far as anybody knew');
});

t.test('the watermark never goes back, and the exceptions before it stay listed', async (t) => {
  const gate = gateAt(100);
  report(gate, 0, 60, ONE);
  t.strictSame(gate.take(), { watermark: 100, exceptions: ONE, exceptionsChanged: true });
  gate.finished(true);
  report(gate, 0, 61, ONE, 2);
  t.equal(gate.take(), null);
  t.notOk(gate.isDue(), 'while now is below it there is nothing to write');
});

t.test('while the table loads the durable checkpoint stays', async (t) => {
  const gate = new WatermarkGate({ watermark: 100, exceptions: ONE }, 100);
  report(gate, 0, null);
  t.equal(gate.take(), null);
  t.equal(gate.last(), null);
  t.notOk(gate.isDue());
});

t.test('a checkpoint of its own is due when something settled or the exceptions changed', async (t) => {
  const gate = gateAt(100);
  report(gate, 0, 150, NONE, 0);
  t.notOk(gate.isDue(), 'time alone is not worth a write');
  t.equal(write(gate), 150, 'but may ride on one');
  report(gate, 0, 160, NONE, 1);
  t.ok(gate.isDue());
  write(gate);
  t.notOk(gate.isDue());
  report(gate, 0, 160, ONE, 1);
  t.ok(gate.isDue());
  write(gate, false);
  t.ok(gate.isDue(), 'what was not written is still to be written');
});

t.test('the last checkpoint holds whether or not the one before it becomes durable', async (t) => {
  const gate = gateAt(100);
  report(gate, 0, 200);
  gate.take();
  report(gate, 0, 150, ONE);
  t.strictSame(gate.last(), { watermark: 200, exceptions: ONE, exceptionsChanged: true, complete: true });
});

/**
 * A random run of batches, reports and checkpoints; what is wrong with it, or null. The scheduler's side is modelled
 * as far as the rule needs it: it takes changes in late, and a report says what it had taken in when it was made,
 * even if it arrives later.
 */
function randomRun(seed: number): string | null {
  const random = seededRandom(seed);
  const gate = gateAt(1000);
  let now = 1000;
  let number = 0;
  let takenIn = 0;
  const open: number[] = [];
  const committed: { stamp: number; number: number }[] = [];
  const underWay: { acknowledged: number; frontier: number; at: number }[] = [];
  let held = { acknowledged: 0 };
  let highest = 1000;
  let lastStamp = 1000;
  for (let step = 0; step < 200; step++) {
    // The clock may also step back.
    now += Math.floor(random() * 20) - (random() < 0.05 ? 300 : 0);
    const choice = random();
    if (choice < 0.25) {
      const stamp = gate.open(now);
      if (stamp <= lastStamp) return `stamp ${stamp} after ${lastStamp}`;
      lastStamp = stamp;
      open.push(stamp);
    } else if (choice < 0.45 && open.length > 0) {
      const stamp = open.shift()!;
      if (random() < 0.2) gate.rolledBack(stamp);
      else {
        committed.push({ stamp, number: ++number });
        gate.committed(stamp, number);
      }
    } else if (choice < 0.55) {
      takenIn = Math.min(number, takenIn + 1 + Math.floor(random() * 2));
    } else if (choice < 0.7) {
      underWay.push({ acknowledged: takenIn, frontier: now, at: step });
    } else if (choice < 0.85 && underWay.length > 0) {
      const made = underWay.shift()!;
      held = made;
      gate.report({ ...made, exceptions: NONE, settledCount: step });
    } else {
      const before = gate.durable.watermark;
      const checkpoint = gate.take();
      if (checkpoint === null) continue;
      const caps = [
        ...open,
        ...committed.filter((batch) => batch.number > held.acknowledged).map((b) => b.stamp),
      ];
      for (const cap of caps) {
        if (checkpoint.watermark > cap) return `${checkpoint.watermark} passes ${cap}`;
      }
      if (checkpoint.watermark < before) return `the watermark went back`;
      highest = Math.max(highest, checkpoint.watermark);
      gate.finished(random() < 0.8);
    }
  }
  if (gate.durable.watermark > highest) return `more is durable than was written`;
  return null;
}

t.test('in random runs no checkpoint passes a change that its report does not cover', async (t) => {
  for (let seed = 1; seed <= 300; seed++) {
    const fault = randomRun(seed);
    if (fault !== null) t.fail(`seed ${seed}: ${fault}`);
  }
});

t.test('the last checkpoint beside an open batch does not hold all', async (t) => {
  const gate = gateAt(100);
  const stamp = gate.open(150);
  report(gate, 0, 700);
  t.match(gate.last(), { watermark: stamp, complete: false });
  gate.rolledBack(stamp);
  t.match(gate.last(), { watermark: 700, complete: true });
});

t.test('what a stamp kept from being written is still to be written', async (t) => {
  const gate = gateAt(100);
  const stamp = gate.open(120);
  gate.committed(stamp, 1);
  report(gate, 0, 200, NONE, 5);
  t.equal(write(gate), stamp);
  t.notOk(gate.isDue());
  report(gate, 1, 210, NONE, 5);
  t.ok(gate.isDue(), 'though nothing has settled since');
  t.equal(write(gate), 210);
  t.notOk(gate.isDue());
});
