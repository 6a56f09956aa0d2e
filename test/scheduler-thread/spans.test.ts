import t from 'tap';
import type { JobRow } from '../../src/job/job.ts';
import { planBackfill, planRun, type Span, type SpanProgress } from '../../src/job/span.ts';
import { Outcome } from '../../src/protocol/scheduler-publisher.ts';
import { intervalRow } from '../helpers/rows.ts';
import { NOW, setUp, upsert } from './scheduler-stage.ts';

const open = (span: Span) => ({ op: 'open' as const, span });

/** A job of each second for an hour before now, and not again for long. */
function row(id: number, key?: string): JobRow {
  const { schedule, ...rest } = intervalRow(id, 1000, NOW - 3_600_000, {
    since: NOW,
    ...(key !== undefined && { key }),
  });
  return { ...rest, schedule: { ...schedule, rules: { lastRun: NOW - 1 } } as JobRow['schedule'] };
}

/** Its first `count` times. */
function backfill(job: JobRow, count: number, id: number): Span {
  const from = NOW - 3_600_000;
  return planBackfill(job, { from, to: from + count * 1000 }, NOW, id);
}

const place = (time: number) => (time - NOW + 3_600_000) / 1000;

t.test('a run goes at once, also of a job that is paused, and then ends', async (t) => {
  const { scheduler, time, sent, held } = setUp({ answer: 'hold' });
  const job = { ...intervalRow(7, 60_000, NOW + 60_000, { name: '1234' }), enabled: false };
  scheduler.load(job);
  scheduler.finishLoad();
  scheduler.apply(1, [open(planRun(job, NOW - 5, 9))]);
  await time.advance(0);
  t.same(sent, [
    {
      ...{ id: 7, time: NOW - 5, missed: 0, expiration: 60_000, routingKey: 'check_feed', body: '1234' },
      ...{ span: 9, kind: 'run' },
    },
  ]);
  t.match(scheduler.progress().counters, { spans: { openRuns: 1, runs: 0 }, due: 0, inFlight: 0 });
  t.same(scheduler.progress().spans, { moved: [], ended: [] });
  await held[0]!.answer([Outcome.nacked]);
  await time.advance(1000);
  t.equal(sent.length, 2, 'again, until it is confirmed');
  await held[1]!.answer([Outcome.returned]);
  t.same(scheduler.progress().spans, { moved: [], ended: [9] });
  t.match(scheduler.progress().counters, {
    spans: { openRuns: 0, runs: 1, returned: 1 },
    ...{ due: 0, confirmed: 0, returned: 0 },
  });
  await time.advance(60_000);
  t.equal(sent.length, 2);
  t.match(await scheduler.answer({ about: 'history', id: 7 }), {
    history: {
      entries: [
        { event: 1, kind: 1, time: NOW - 5 },
        { event: 2, kind: 1 },
      ],
    },
  });
});

t.test('a backfill goes at its rate, in order, and after what is due', async (t) => {
  const { scheduler, time, sent } = setUp({ backfillRate: 100 });
  const job = row(1);
  scheduler.load(job);
  scheduler.load(intervalRow(2, 10, NOW));
  scheduler.finishLoad();
  scheduler.apply(1, [open(backfill(job, 250, 9))]);
  await time.advance(1000);
  const first = sent.filter(({ span }) => span === 9);
  t.ok(first.length >= 95 && first.length <= 105, `${first.length} in a second`);
  t.same(
    first.map(({ time }) => place(time)),
    first.map((_, index) => index),
  );
  t.ok(sent.filter(({ id }) => id === 2).length >= 99, 'the others run');
  await time.advance(2000);
  t.equal(sent.filter(({ span }) => span === 9).length, 250);
  t.same(scheduler.progress().spans.ended, [9]);
});

t.test('several have their turns', async (t) => {
  const { scheduler, time, sent } = setUp({ backfillRate: 100 });
  const job = row(1);
  scheduler.load(job);
  scheduler.finishLoad();
  scheduler.apply(
    1,
    [5, 6, 7, 8].map((id) => open(backfill(job, 500, id))),
  );
  await time.advance(1000);
  const counts = [5, 6, 7, 8].map((id) => sent.filter(({ span }) => span === id).length);
  t.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join(' '));
});

t.test('the position is that of what is confirmed, and a restart repeats nothing more', async (t) => {
  const first = setUp({ answer: 'hold', backfillRate: 10_000 });
  const job = row(1);
  const span = backfill(job, 40, 9);
  first.scheduler.load(job);
  first.scheduler.finishLoad();
  first.scheduler.apply(1, [open(span)]);
  await first.time.advance(100);
  t.equal(first.sent.length, 32, 'a window of them');
  const [batch] = first.held;
  const count = batch!.batch.count;
  // All but the second and the fifth.
  const outcomes = Array.from({ length: count }, (_, index) =>
    index === 1 || index === 4 ? Outcome.nacked : Outcome.confirmed,
  );
  await batch!.answer(outcomes);
  const [progress] = first.scheduler.progress().spans.moved as [SpanProgress];
  t.equal(place(progress.position), 1);
  t.equal(progress.published, count - 2);
  t.same(progress.ahead.map(place), [2, 3, ...Array.from({ length: count - 5 }, (_, index) => index + 5)]);
  t.same(first.scheduler.progress().spans.moved, [], 'only what has changed');

  const second = setUp({ backfillRate: 10_000, spans: [{ ...span, ...progress }] });
  second.scheduler.load(job);
  second.scheduler.wake();
  await second.time.advance(0);
  t.ok(second.sent.length > 0, 'it begins while the table loads');
  second.scheduler.finishLoad();
  await second.time.advance(1000);
  t.same(
    second.sent.map(({ time }) => place(time)),
    [1, 4, ...Array.from({ length: 40 - count }, (_, index) => index + count)],
  );
  t.same(second.scheduler.progress().spans, { moved: [], ended: [9] });
  t.equal(second.scheduler.progress().counters.spans.backfilled, 40 - count + 2);
});

t.test('a route that never confirms has its own waiting, and no other', async (t) => {
  const { scheduler, time, sent, held } = setUp({ answer: 'hold', backfillRate: 1000 });
  const jobs = [row(1, 'silent'), row(2, 'good')] as const;
  for (const job of jobs) scheduler.load(job);
  scheduler.finishLoad();
  for (let id = 10; id < 110; id++) scheduler.apply(id, [open(backfill(jobs[0], 100, id))]);
  scheduler.apply(200, [open(backfill(jobs[1], 500, 200))]);
  for (let step = 0; step < 3000; step++) {
    await time.advance(10);
    for (const { batch, answer } of held.splice(0)) {
      const good = (index: number) => batch.routes[batch.routeOf[index]!]!.routingKey === 'good';
      await answer(
        Array.from({ length: batch.count }, (_, index) =>
          good(index) ? Outcome.confirmed : Outcome.pending,
        ),
      );
    }
    if (sent.filter(({ id }) => id === 2).length === 500) break;
  }
  t.equal(sent.filter(({ id }) => id === 2).length, 500);
  t.ok(sent.filter(({ id }) => id === 1).length <= 1100, 'what was sent before it was seen to be silent');
});

t.test('many that cannot go keep neither a new run nor a backfill from going', async (t) => {
  const { scheduler, time, sent } = setUp({ answer: Outcome.confirmed, backfillRate: 1000 });
  const stuck = { ...row(1, 'stuck'), message: { exchange: 'gone' } };
  const job = row(2);
  for (const one of [stuck, job]) scheduler.load(one);
  scheduler.finishLoad();
  scheduler.hear({ type: 'exchange.changed', threadId: 1, exchange: 'gone', usable: false, reason: null });
  scheduler.apply(
    1,
    Array.from({ length: 300 }, (_, index) => open(planRun(stuck, NOW, 1000 + index))),
  );
  await time.advance(500);
  t.same(sent, []);
  scheduler.apply(2, [open(backfill(job, 200, 5))]);
  await time.advance(1);
  scheduler.apply(3, [open(planRun(job, NOW, 6))]);
  await time.advance(0);
  t.ok(
    sent.some(({ span }) => span === 6),
    'the run at once',
  );
  await time.advance(1000);
  t.equal(sent.length, 201);
});

t.test('it ends with its job, or when it is asked to, and a stop waits for what is in flight', async (t) => {
  const { scheduler, time, sent, held } = setUp({ answer: 'hold', backfillRate: 1000 });
  const jobs = [row(1), row(2), row(3)] as const;
  for (const job of jobs) scheduler.load(job);
  scheduler.finishLoad();
  scheduler.apply(
    1,
    [10, 11, 12].map((id) => open(backfill(jobs[id - 10]!, 100, id))),
  );
  await time.advance(5);
  scheduler.apply(2, [
    { op: 'remove', id: 1 },
    { op: 'end', id: 11 },
  ]);
  t.same(scheduler.progress().spans, { moved: [], ended: [10] });
  const before = sent.length;
  await time.advance(200);
  t.ok(
    sent.slice(before).every(({ id }) => id === 3),
    'nothing more of the others',
  );
  let stopped: unknown = null;
  void scheduler.stop(time.monotonic() + 8000).then((result) => {
    stopped = result;
  });
  await time.advance(100);
  t.equal(stopped, null);
  for (const { batch, answer } of held) await answer(new Array(batch.count).fill(Outcome.confirmed));
  await time.advance(0);
  t.match(stopped, { clean: true, progress: { spans: { moved: [{ id: 12 }] } } });
});

t.test('one whose job is not there waits for the load, and then ends', async (t) => {
  const job = row(1);
  const spans = [backfill(job, 3, 10), backfill(row(2), 3, 11), backfill(row(3), 3, 12)];
  const { scheduler, time, sent } = setUp({ backfillRate: 1000, spans });
  scheduler.apply(1, [{ op: 'remove', id: 2 }]);
  scheduler.load(row(2));
  await time.advance(50);
  t.same(sent, []);
  t.same(scheduler.progress().spans.ended, [11]);
  scheduler.load(job);
  scheduler.finishLoad();
  await time.advance(500);
  t.equal(sent.length, 3);
  t.same(new Set(scheduler.progress().spans.ended), new Set([10, 12]));
});

t.test(
  'each message is of the job as it is then, and a schedule that has no more times ends it',
  async (t) => {
    const { scheduler, time, sent } = setUp({ backfillRate: 10 });
    const job = row(1);
    scheduler.load(job);
    scheduler.finishLoad();
    scheduler.apply(1, [open(backfill(job, 100, 10))]);
    await time.advance(300);
    const before = sent.length;
    scheduler.apply(2, [upsert({ ...job, version: 5, payload: new TextEncoder().encode('new') })]);
    await time.advance(300);
    t.ok(sent.length > before);
    t.ok(sent.slice(before).every(({ body }) => body === 'new'));
    scheduler.apply(3, [
      upsert({
        ...job,
        version: 6,
        schedule: { ...job.schedule, firstRun: NOW - 1000 } as JobRow['schedule'],
      }),
    ]);
    await time.advance(300);
    t.same(scheduler.progress().spans.ended, [10]);
  },
);
