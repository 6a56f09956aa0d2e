import t from 'tap';
import { planBackfill, planRun } from '../../src/job/span.ts';
import type { EventInterest, RunEventType } from '../../src/protocol/events.ts';
import { Outcome } from '../../src/protocol/scheduler-publisher.ts';
import { intervalRow, oneOffRow } from '../helpers/rows.ts';
import { NOW, setUp, upsert } from './scheduler-stage.ts';

const MINUTE = 60_000;
const all = (...types: RunEventType[]): EventInterest =>
  types.map((type) => ({ type, all: true, routingKeys: [] }));
const text = (bytes: Uint8Array | null | undefined) => bytes && new TextDecoder().decode(bytes);

t.test('while nobody listens nothing is noted', async (t) => {
  const { scheduler, time } = setUp();
  scheduler.finishLoad();
  scheduler.apply(1, [upsert(intervalRow(1, MINUTE, NOW + MINUTE))]);
  await time.advance(2 * MINUTE);
  t.equal(scheduler.takeEvents(), null);
  scheduler.tellOf(all('published'));
  await time.advance(MINUTE);
  t.equal(scheduler.takeEvents()?.events.length, 1);
  scheduler.tellOf(null);
  await time.advance(MINUTE);
  t.equal(scheduler.takeEvents(), null);
});

t.test('what is published and returned', async (t) => {
  const { scheduler, time, behaviour } = setUp();
  scheduler.finishLoad();
  scheduler.tellOf(all('published', 'returned', 'misfired'));
  const payload = new TextEncoder().encode('{}');
  scheduler.apply(1, [
    upsert(oneOffRow(1, NOW + 1000, { key: 'a', name: 'one' })),
    upsert(oneOffRow(2, NOW + 1000, { key: 'b', name: 'two', payload })),
  ]);
  await time.advance(1000);
  const published = scheduler.takeEvents();
  t.match(published, {
    leftOut: [],
    events: [
      {
        ...{ type: 'published', at: NOW + 1000, id: 1, routingKey: 'a', exchange: '', kind: null, count: 0 },
        ...{ scheduledAt: NOW + 1000, sentAt: NOW + 1000, messageId: `k3x9.1.${(NOW + 1000).toString(36)}` },
      },
      { type: 'published', id: 2, job: null },
    ],
  });
  t.equal(text(published?.events[0]?.job), 'one');
  behaviour.answer = Outcome.returned;
  scheduler.apply(2, [upsert(oneOffRow(3, NOW + 2000))]);
  await time.advance(1000);
  t.match(scheduler.takeEvents(), { events: [{ type: 'returned', id: 3, rerouted: false }] });
  behaviour.answer = Outcome.rerouted;
  scheduler.apply(3, [upsert(oneOffRow(5, NOW + 3000))]);
  await time.advance(1000);
  t.match(scheduler.takeEvents(), { events: [{ type: 'returned', id: 5, rerouted: true }] });
  t.match(scheduler.progress().counters, { due: 4, confirmed: 2, returned: 2, rerouted: 1 });
  behaviour.answer = Outcome.nacked;
  scheduler.apply(4, [upsert(oneOffRow(4, NOW + 4000))]);
  await time.advance(1000);
  t.equal(scheduler.takeEvents(), null, 'what is tried again is not told yet');
});

t.test('what was missed is told once, with the run that stands for it, or as dropped', async (t) => {
  const { scheduler, time, connect } = setUp();
  scheduler.finishLoad();
  scheduler.tellOf(all('published', 'misfired'));
  const skip = intervalRow(2, MINUTE, NOW + MINUTE, { since: NOW });
  scheduler.apply(1, [
    upsert(intervalRow(1, MINUTE, NOW + MINUTE, { since: NOW })),
    upsert({ ...skip, schedule: { ...skip.schedule, rules: { misfire: 'skip' } } }),
  ]);
  connect(false);
  await time.advance(10 * MINUTE + 30_000);
  connect(true);
  await time.advance(1);
  const events = scheduler.takeEvents()?.events ?? [];
  const of = (job: number) => events.filter(({ id }) => id === job).map(({ type, count }) => [type, count]);
  t.same(of(1), [
    ['misfired', 9],
    ['published', 9],
  ]);
  t.same(of(2), [
    ['misfired', 9],
    ['published', 0],
  ]);
  const [caughtUp, dropped] = [1, 2].map((job) => events.find(({ id }) => id === job));
  t.match(caughtUp, { scheduledAt: NOW + 10 * MINUTE, messageId: String });
  t.match(dropped, { scheduledAt: NOW + MINUTE, messageId: null, sentAt: 0 });
});

t.test('only what is wanted is told, at a bounded rate, and the others are counted', async (t) => {
  const { scheduler, time } = setUp();
  scheduler.finishLoad();
  const jobs = Array.from({ length: 1000 }, (_, at) =>
    upsert(intervalRow(at + 1, 10_000, NOW + 10_000, { key: ['a', 'b', 'c', 'd'][at % 4]! })),
  );
  scheduler.apply(1, jobs);
  scheduler.tellOf([{ type: 'published', all: false, routingKeys: ['a', 'b'] }]);
  await time.advance(10_000);
  const first = scheduler.takeEvents()!;
  t.equal(first.events.length, 100);
  t.ok(first.events.every(({ routingKey }) => routingKey === 'a' || routingKey === 'b'));
  t.same(
    first.leftOut.map(({ routingKey }) => routingKey),
    ['a', 'b'],
  );
  t.equal(
    first.leftOut.reduce((sum, { count }) => sum + count, 0),
    400,
  );
  scheduler.tellOf([{ type: 'published', all: true, routingKeys: ['a'] }]);
  await time.advance(10_000);
  const second = scheduler.takeEvents()!;
  t.equal(second.events.length, 100);
  t.same(second.leftOut.map(({ routingKey }) => routingKey).sort(), ['a', null]);
});

t.test('messages of runs by hand and backfills are told too, by their own ids', async (t) => {
  const { scheduler, time, behaviour } = setUp();
  const job = intervalRow(7, MINUTE, NOW - 10 * MINUTE);
  scheduler.load({ ...job, enabled: false });
  scheduler.finishLoad();
  scheduler.tellOf(all('published', 'returned'));
  scheduler.apply(1, [{ op: 'open', span: planRun(job, NOW, 9) }]);
  await time.advance(0);
  t.match(scheduler.takeEvents(), {
    events: [
      {
        ...{ type: 'published', kind: 'run', id: 7, scheduledAt: NOW, sentAt: NOW },
        messageId: `k3x9.7.${NOW.toString(36)}.9`,
      },
    ],
  });
  behaviour.answer = Outcome.rerouted;
  const past = { from: NOW - 5 * MINUTE, to: NOW - 4 * MINUTE };
  scheduler.apply(2, [{ op: 'open', span: planBackfill(job, past, NOW, 10) }]);
  await time.advance(100);
  t.match(scheduler.takeEvents(), {
    events: [
      { type: 'returned', kind: 'backfill', id: 7, scheduledAt: NOW - 5 * MINUTE, rerouted: true, count: 0 },
    ],
  });
});
