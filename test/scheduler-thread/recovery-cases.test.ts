import t from 'tap';
import { encodeExceptions, NO_EXCEPTIONS } from '../../src/job/exceptions.ts';
import type { JobRow } from '../../src/job/job.ts';
import { Outcome } from '../../src/protocol/scheduler-publisher.ts';
import { LIMITS, type Limits } from '../../src/scheduler-thread/limits.ts';
import { Scheduler } from '../../src/scheduler-thread/scheduler.ts';
import { ManualTime } from '../helpers/manual-time.ts';
import { intervalRow, oneOffRow } from '../helpers/rows.ts';

/** All times are ms from here. */
const START = 1_800_000_000_000;
const ONE_BY_ONE = { ...LIMITS, batch: 1, unconfirmed: 1 };

type Durable = { readonly watermark: number; readonly exceptions?: Uint8Array };

/** The scheduler of one owner. `sent` has each message as `id@time missed`; all are confirmed, or none is answered. */
function own(
  time: ManualTime,
  { watermark, exceptions = encodeExceptions(NO_EXCEPTIONS) }: Durable,
  { limits = LIMITS, confirms = true }: { limits?: Limits; confirms?: boolean } = {},
) {
  const sent: string[] = [];
  const behaviour = { confirms };
  const scheduler = new Scheduler({
    ...{
      clock: time,
      timers: time,
      random: () => 0.5,
      batchesAtOnce: 8,
      exchange: '',
      tag: 'k3x9',
      limits,
      exceptions,
    },
    watermark: START + watermark,
    misfireAfter: Number.MAX_SAFE_INTEGER,
    misfireBacklog: 1000,
    trustedUntil: Number.POSITIVE_INFINITY,
    lease: 15_000,
    publish: (batch) => {
      for (let place = 0; place < batch.count; place++) {
        sent.push(`${batch.ids[place]}@${batch.times[place]! - START} ${batch.missed[place]}`);
      }
      const outcomes = new Uint8Array(batch.count).fill(Outcome.confirmed);
      const answer = { threadId: 1, outcomes, writtenAt: new Float64Array(batch.count) };
      return behaviour.confirms ? Promise.resolve(answer) : new Promise(() => {});
    },
    onReturned: () => {},
    onRefused: () => {},
  });
  scheduler.hear({ type: 'connection.changed', threadId: 1, connected: true, reason: null, blocked: false });
  return {
    ...{ scheduler, sent, behaviour },
    load(rows: readonly JobRow[]) {
      for (const row of rows) scheduler.load(row);
      scheduler.finishLoad();
      scheduler.wake();
    },
    makeUsable(usable: boolean) {
      scheduler.hear({ type: 'exchange.changed', threadId: 1, exchange: '', usable, reason: null });
    },
    /** A checkpoint of this moment. */
    durable(): Durable {
      const { frontier, exceptions } = scheduler.progress(true);
      return { watermark: frontier! - START, exceptions };
    },
  };
}

const at = (time: number) => new ManualTime(START + time);
const since = (time: number) => ({ since: START + time });

t.test('the clock is behind the watermark, and then far ahead', async (t) => {
  const rows = [
    intervalRow(1, 10_000, START + 5000, since(-100_000)),
    intervalRow(2, 1_000_000, START + 61_000, since(-100_000)),
  ];
  const time = at(30_000);
  const first = own(time, { watermark: 60_000 }, { limits: ONE_BY_ONE, confirms: false });
  first.load(rows);
  first.durable();
  await time.leap(170_000);
  const durable = first.durable();
  t.equal(durable.watermark, 65_000);
  const second = own(at(201_000), durable);
  second.load(rows);
  t.same(second.sent, ['2@61000 0', '1@195000 13'], 'nothing since the watermark is forgotten');
});

t.test('the clock steps back between two reports', async (t) => {
  const rows = [
    intervalRow(1, 60_000, START + 1090, since(-100_000)),
    intervalRow(2, 1_000_000, START + 50_000, since(-100_000)),
  ];
  const time = at(1000);
  const first = own(time, { watermark: 900 }, { limits: ONE_BY_ONE });
  first.load(rows);
  first.durable();
  await time.advance(100);
  t.same(first.sent, ['1@1090 0']);
  time.offset = -70_000;
  first.scheduler.wake();
  t.equal(first.durable().watermark, 1091, 'what ran is settled, whatever the clock says now');
  first.behaviour.confirms = false;
  await time.leap(470_000);
  const durable = first.durable();
  const second = own(at(402_000), durable);
  second.load(rows);
  t.same(second.sent, ['2@50000 0', '1@361090 5'], 'and a catch-up is told from after it');
});

t.test('a catch-up told from after a watermark that is a stamp counts for nothing', async (t) => {
  const caughtUp = { origin: START + 1900, untils: [START + 2600], throughs: [START + 10_001] };
  const exceptions = encodeExceptions({ ...NO_EXCEPTIONS, caughtUp });
  // Its change is the one that kept the watermark back.
  const rows = [
    intervalRow(1, 1000, START + 2500, since(1500)),
    intervalRow(2, 1_000_000, START + 2600, since(-5000)),
  ];
  const time = at(9000);
  const first = own(time, { watermark: 1500, exceptions }, { limits: ONE_BY_ONE, confirms: false });
  first.load(rows);
  await time.advance(0);
  first.scheduler.trust(0);
  const durable = first.durable();
  const second = own(at(12_000), durable);
  second.load(rows);
  t.ok(second.sent.includes('1@11500 9'), `9500 is counted: ${second.sent.join(', ')}`);
});

t.test('a longer interval pushes nothing off the list of exceptions', async (t) => {
  const rows = [
    oneOffRow(1, START + 14_000, since(-5000)),
    intervalRow(2, 1000, START + 22_000, since(-5000)),
    oneOffRow(3, START + 20_000, since(-5000)),
  ];
  const time = at(10_000);
  const first = own(time, { watermark: 10_000 }, { limits: { ...LIMITS, exceptions: 2 } });
  first.load(rows);
  first.makeUsable(false);
  await time.leap(31_000);
  const before = first.durable().watermark;
  t.equal(before, 22_000, 'two are listed, the third holds the watermark');
  const changed = { ...intervalRow(2, 5000, START + 1000, since(40_990)), version: 2 };
  first.scheduler.apply(1, [{ op: 'upsert', row: changed }]);
  const { exceptions, watermark } = first.durable();
  const second = own(at(45_000), { watermark: Math.max(before, watermark), exceptions });
  second.load([rows[0]!, changed, rows[2]!]);
  t.same(second.sent.slice(0, 2), ['1@14000 0', '3@20000 0']);
});

t.test('what a turn stands for is kept where its time waits already', async (t) => {
  const before = intervalRow(1, 10_000, START + 102_000, since(50_000));
  const changed = { ...intervalRow(1, 2000, START + 100_000, since(99_500)), version: 2 };
  const time = at(99_000);
  const { load, makeUsable, scheduler, sent } = own(time, { watermark: 99_000 });
  load([before]);
  makeUsable(false);
  await time.advance(3500);
  scheduler.apply(1, [{ op: 'upsert', row: changed }]);
  await time.advance(500);
  makeUsable(true);
  await time.advance(10);
  t.same(sent, ['1@102000 1'], '100000 is counted');
});
