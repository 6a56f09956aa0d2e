import t from 'tap';
import { encodeExceptions, NO_EXCEPTIONS } from '../../../src/job/exceptions.ts';
import { createCheckpointWriter } from '../../../src/main-thread/store/checkpoint.ts';
import type { CheckpointSource, OwnerSession } from '../../../src/main-thread/store/owner-session.ts';
import { SpanPositions } from '../../../src/main-thread/store/span-positions.ts';
import { type CheckpointWrite, WatermarkGate } from '../../../src/main-thread/store/watermark-gate.ts';
import type { Progress, SchedulerCounters, SpansProgress } from '../../../src/protocol/main-scheduler.ts';
import { listed } from '../../helpers/exceptions.ts';
import { ManualTime } from '../../helpers/manual-time.ts';
import { silent } from './store-fixture.ts';

const NONE = encodeExceptions(NO_EXCEPTIONS);
const START = 1_000_000;

/** A session whose transactions commit at once, or fail; what rides on them is noted. */
function setUp() {
  const time = new ManualTime(START);
  const gate = new WatermarkGate({ watermark: START, exceptions: NONE }, START);
  const written: CheckpointWrite[] = [];
  const moves: SpansProgress[] = [];
  let source: CheckpointSource | null = null;
  let failing = false;
  let tries = 0;
  const transact = () => {
    const taken = source?.take() ?? null;
    if (taken === null) return;
    if (!failing && taken.checkpoint !== null) written.push(taken.checkpoint);
    if (!failing && taken.spans !== null) moves.push(taken.spans);
    source!.finished(!failing);
  };
  const session = {
    attach: (attached: CheckpointSource) => {
      source = attached;
    },
    transaction: async () => {
      tries++;
      transact();
      if (failing) throw new Error('MySQL is away');
    },
  } as unknown as OwnerSession;
  const writer = createCheckpointWriter({
    session,
    gate,
    spans: new SpanPositions(),
    clock: time,
    timers: time,
    log: silent,
    interval: 250,
  });
  let settledCount = 0;
  const report = (
    settled: number,
    frontier: number | null = time.now(),
    exceptions = NONE,
    spans: SpansProgress = { moved: [], ended: [] },
  ) => {
    settledCount += settled;
    const progress: Progress = {
      ...{ acknowledged: 0, frontier, exceptions, settledCount, applied: 0, settledJobs: [] },
      spans,
      counters: {} as SchedulerCounters,
    };
    writer.report(progress);
  };
  const fail = (state: boolean) => {
    failing = state;
  };
  const advance = (ms: number) => time.advance(ms);
  return { written, moves, tries: () => tries, report, advance, transact, fail, writer, gate };
}

t.test('what settles is written within an interval, and not more often', async (t) => {
  const { written, report, advance } = setUp();
  await advance(100);
  report(1);
  await advance(1);
  t.strictSame(
    written.map(({ watermark }) => watermark),
    [START + 100],
    'the first at once',
  );
  for (let elapsed = 0; elapsed < 1000; elapsed += 50) {
    report(1);
    await advance(50);
  }
  t.ok(written.length >= 4 && written.length <= 5, `${written.length} in 1100 ms`);
});

t.test(
  'nothing is written while nothing settles, but a transaction that runs anyway takes it along',
  async (t) => {
    const { written, report, advance, transact } = setUp();
    for (let elapsed = 0; elapsed < 2000; elapsed += 100) {
      await advance(100);
      report(0);
    }
    t.equal(written.length, 0);
    transact();
    t.equal(written[0]?.watermark, START + 2000);
  },
);

t.test('exceptions that changed are written, the same ones are left alone', async (t) => {
  const { written, report, advance } = setUp();
  const list = listed([[1, START]]);
  for (let elapsed = 0; elapsed < 1000; elapsed += 250) {
    await advance(250);
    report(1, undefined, list);
  }
  await advance(250);
  const [first, ...others] = written.map(({ exceptionsChanged }) => exceptionsChanged);
  t.ok(first);
  t.ok(others.length > 0 && !others.includes(true));
});

t.test('one that could not be written is written later', async (t) => {
  const { written, tries, report, advance, fail } = setUp();
  fail(true);
  await advance(100);
  for (let elapsed = 0; elapsed < 1000; elapsed += 50) {
    report(1);
    await advance(50);
  }
  t.equal(written.length, 0);
  t.ok(tries() >= 4 && tries() <= 5, `${tries()} tries in 1000 ms`);
  fail(false);
  report(0);
  await advance(250);
  t.equal(written.length, 1);
});

t.test('while the table loads, and after the stop, nothing is written', async (t) => {
  const { written, report, advance, transact, writer, gate } = setUp();
  await advance(100);
  report(5, null);
  await advance(1000);
  t.equal(written.length, 0);
  writer.stop();
  report(5);
  await advance(1000);
  transact();
  t.equal(written.length, 0);
  t.equal(gate.last()?.watermark, START + 1100, 'the last one is written with the release');
});

t.test(
  'what spans have done is written with it, also while the table loads, and again after a failure',
  async (t) => {
    const { moves, written, report, advance, fail } = setUp();
    const moved = (position: number) => ({ id: 7, position, ahead: [], published: position });
    fail(true);
    await advance(100);
    report(0, null, NONE, { moved: [moved(1)], ended: [8] });
    await advance(50);
    t.same(moves, []);
    fail(false);
    report(0, null, NONE, { moved: [moved(2)], ended: [] });
    await advance(250);
    t.same(moves, [{ moved: [moved(2)], ended: [8] }], 'the latest of each');
    await advance(1000);
    report(0, null, NONE, { moved: [], ended: [7] });
    await advance(250);
    report(0, null);
    await advance(1000);
    t.same(moves.slice(1), [{ moved: [], ended: [7] }]);
    t.same(written, []);
  },
);

t.test('spans that move do not keep back a checkpoint that is due after them', async (t) => {
  const { written, moves, report, advance } = setUp();
  const position = (at: number) => ({
    moved: [{ id: 7, position: at, ahead: [], published: at }],
    ended: [],
  });
  await advance(100);
  report(1);
  await advance(1);
  t.equal(written.length, 1);
  await advance(250);
  report(0, START + 100, NONE, position(1));
  await advance(1);
  t.equal(moves.length, 1, 'the spans alone');
  await advance(10);
  report(0, START + 100, NONE, position(2));
  report(1);
  await advance(1);
  t.equal(written.length, 2, 'at once');
  t.equal(moves.length, 2);
  await advance(10);
  report(0, START + 100, NONE, position(3));
  await advance(200);
  t.equal(moves.length, 2, 'not more often');
  await advance(50);
  t.equal(moves.length, 3);
});
