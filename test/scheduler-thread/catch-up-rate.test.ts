import t from 'tap';
import type { JobRow } from '../../src/job/job.ts';
import { Outcome } from '../../src/protocol/scheduler-publisher.ts';
import { CatchUpRate } from '../../src/scheduler-thread/catch-up-rate.ts';
import { LIMITS } from '../../src/scheduler-thread/limits.ts';
import { intervalRow, oneOffRow } from '../helpers/rows.ts';
import { NOW, type Sent, setUp, upsert } from './scheduler-stage.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Dalga was away for so long before NOW. */
const AWAY = 2 * HOUR;

/** The most that came within one second. */
function mostInASecond(at: readonly number[]): number {
  const times = [...at].sort((a, b) => a - b);
  return Math.max(0, ...times.map((time) => times.filter((it) => it >= time && it < time + 1000).length));
}

/** A scheduler that begins after an outage, with these jobs in the table, and when each message was sent. */
function afterOutage(rows: readonly JobRow[], options: Parameters<typeof setUp>[0] = {}) {
  const stage = setUp({ watermark: NOW - AWAY, catchupRate: 10, ...options });
  for (const row of rows) stage.scheduler.load(row);
  stage.scheduler.finishLoad();
  return stage;
}

/** Jobs of each hour, whose times lie evenly in it; none of them within the next minute. */
const hourly = (count: number, first = 1) =>
  Array.from({ length: count }, (_, index) => {
    const firstRun = NOW - AWAY + 2 * MINUTE + Math.floor((index * (HOUR - 4 * MINUTE)) / count);
    return intervalRow(first + index, HOUR, firstRun, { since: NOW - AWAY - HOUR });
  });

const missedOf = (sent: readonly Sent[]) => sent.filter(({ missed }) => missed > 0);

/** Lets time pass, a little at a time, and tells when what was sent. */
async function watch({ time, sent }: ReturnType<typeof setUp>, duration: number) {
  const at: { readonly at: number; readonly message: Sent }[] = [];
  for (let passed = 0; passed < duration; passed += 5) {
    const before = sent.length;
    await time.advance(5);
    for (const message of sent.slice(before)) at.push({ at: time.now(), message });
  }
  return at;
}

t.test('after an outage catch-ups go at their rate, what is due goes as ever', async (t) => {
  const onTime = Array.from({ length: 20 }, (_, index) =>
    intervalRow(1000 + index, 1000, NOW + 100 + 50 * index, { since: NOW }),
  );
  const stage = afterOutage([...hourly(100), ...onTime]);
  const seen = await watch(stage, 5000);
  const caughtUp = seen.filter(({ message }) => message.missed > 0);
  t.equal(mostInASecond(caughtUp.map(({ at }) => at)), 10);
  t.ok(caughtUp.length >= 48 && caughtUp.length <= 51, String(caughtUp.length));
  t.same(
    caughtUp.map(({ message }) => message.id),
    caughtUp.map((_, index) => index + 1),
    'in the order in which they were missed',
  );
  t.match(caughtUp[0]?.message, { missed: 2, time: NOW - AWAY + 2 * MINUTE + HOUR });
  const late = seen.filter(({ message, at }) => message.id >= 1000 && at - message.time > 5);
  t.same(late, [], 'no other waits for them');
  t.equal(seen.length - caughtUp.length, 99);
  t.equal(stage.scheduler.progress().counters.catchUpsWaiting, 100 - caughtUp.length);
  await watch(stage, 7000);
  t.equal(missedOf(stage.sent).length, 100);
  t.match(stage.scheduler.progress().counters, { catchUpsWaiting: 0, heldBack: 0, superseded: 100 });
});

t.test('it sleeps until the next one may go', async (t) => {
  const stage = afterOutage(hourly(10), { catchupRate: 1 });
  let woken = 0;
  const { scheduler, time } = stage;
  const wake = scheduler.wake.bind(scheduler);
  scheduler.wake = () => {
    woken++;
    wake();
  };
  await time.advance(5000);
  t.ok(woken <= 20, `${woken} times in 5 s`);
  t.equal(stage.sent.length, 5);
});

t.test("a job's regular time stands for the catch-up that still waits", async (t) => {
  const soon = intervalRow(500, HOUR, NOW + 3000 - 2 * HOUR, { since: NOW - 1.5 * HOUR });
  const stage = afterOutage([...hourly(100), soon], { catchupRate: 1 });
  await stage.time.advance(4000);
  t.same(
    stage.sent.filter(({ id }) => id === 500).map(({ time, missed }) => [time - NOW, missed]),
    [[3000, 1]],
  );
  const { superseded, catchUpsWaiting } = stage.scheduler.progress().counters;
  t.equal(superseded, 100 + 1, 'all are taken, since the list has place for them');
  t.equal(catchUpsWaiting, 101 - stage.sent.length);
});

t.test('one-offs that were missed are paced too, and none is lost', async (t) => {
  const rows = Array.from({ length: 30 }, (_, index) =>
    oneOffRow(1 + index, NOW - HOUR + index, { since: NOW - AWAY }),
  );
  const stage = afterOutage(rows);
  const seen = await watch(stage, 4000);
  t.equal(mostInASecond(seen.map(({ at }) => at)), 10);
  t.same(
    seen.map(({ message }) => [message.id, message.missed]),
    rows.map(({ id }) => [id, 1]),
  );
  t.equal(stage.scheduler.progress().settledJobs.length, 30);
});

t.test('an outage of RabbitMQ, and what a checkpoint had listed', async (t) => {
  const rows = hourly(30).map((row, index) => ({
    ...row,
    schedule: { ...row.schedule, firstRun: NOW + 1000 + index } as JobRow['schedule'],
  }));
  for (const limits of [LIMITS, { ...LIMITS, exceptions: 4 }]) {
    const stage = setUp({ watermark: NOW, catchupRate: 10, limits });
    for (const row of rows) stage.scheduler.load(row);
    stage.scheduler.finishLoad();
    stage.connect(false);
    for (let passed = 0; passed < 2 * HOUR + 2 * MINUTE; passed += MINUTE) {
      await stage.time.advance(MINUTE);
      stage.scheduler.progress();
    }
    stage.connect(true);
    const seen = await watch(stage, 5000);
    t.equal(mostInASecond(seen.map(({ at }) => at)), 10, `a list of ${limits.exceptions}`);
    t.same(
      stage.sent.map(({ id }) => id).sort((a, b) => a - b),
      rows.map(({ id }) => id),
    );
    t.ok(seen.every(({ message }) => message.missed === 3));
  }
  const listed = afterOutage(hourly(30), {
    watermark: NOW,
    exceptions: hourly(30).map(({ id, schedule: { firstRun } }) => [id, firstRun + HOUR, 1]),
  });
  const seen = await watch(listed, 5000);
  t.equal(mostInASecond(seen.map(({ at }) => at)), 10);
  t.ok(seen.length === 30 && seen.every(({ message }) => message.missed === 2));
});

t.test('a change is judged against the new row, and a removal takes the catch-up away', async (t) => {
  for (const limits of [LIMITS, { ...LIMITS, exceptions: 4 }]) {
    const rows = hourly(20);
    const stage = afterOutage(rows, { catchupRate: 1, limits });
    await stage.time.advance(10);
    const [, , , fourth, fifth, sixth, seventh] = rows as JobRow[];
    const next = { version: 2 };
    stage.scheduler.apply(1, [
      { op: 'remove', id: fourth!.id },
      upsert({ ...fifth!, ...next, enabled: false, since: NOW + 10 }),
      upsert({
        ...sixth!,
        ...next,
        since: NOW + 10,
        schedule: { ...sixth!.schedule, firstRun: NOW + HOUR } as JobRow['schedule'],
      }),
      upsert({ ...seventh!, ...next, job: new TextEncoder().encode('another body') }),
    ]);
    await watch(stage, 25_000);
    const ids = stage.sent.map(({ id }) => id);
    for (const gone of [fourth, fifth, sixth]) t.notOk(ids.includes(gone!.id), `${gone!.id}`);
    t.equal(stage.sent.find(({ id }) => id === seventh!.id)?.body, 'another body');
    t.equal(stage.sent.length, 17);
    t.equal(stage.scheduler.progress().counters.catchUpsWaiting, 0);
  }
});

t.test('misfire=all runs each at the rate, and what comes meanwhile is on time', async (t) => {
  for (const limits of [LIMITS, { ...LIMITS, exceptions: 4 }]) {
    const row = intervalRow(1, MINUTE, NOW - 20 * MINUTE + 30_000, { since: NOW - HOUR });
    const each = { ...row, schedule: { ...row.schedule, rules: { misfire: 'all' } } } as JobRow;
    const stage = afterOutage([each], {
      watermark: NOW - 20 * MINUTE,
      catchupRate: 1,
      misfireBacklog: 10,
      limits,
    });
    stage.scheduler.tellOf([{ type: 'misfired', all: true, routingKeys: [] }]);
    const seen = await watch(stage, MINUTE);
    const dropped = stage.scheduler.takeEvents()!.events.filter(({ messageId }) => messageId === null);
    t.match(dropped, [{ count: 10, scheduledAt: row.schedule.firstRun }], 'what was cut is told');
    t.same(
      seen.map(({ message }) => (message.time - NOW - 30_000) / MINUTE).sort((a, b) => a - b),
      [-10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0],
      `the latest ten, and the one that came, a list of ${limits.exceptions}`,
    );
    const regular = seen.find(({ message }) => message.time === NOW + 30_000);
    t.ok(regular!.at - NOW - 30_000 <= 5);
    t.match(stage.scheduler.progress().counters, { due: 21, skipped: 10, confirmed: 11, catchUpsWaiting: 0 });
  }
});

t.test('a stop and a crash in it: what has run does not run again, what waits does', async (t) => {
  for (const exceptions of [LIMITS.exceptions, 6]) {
    for (const how of ['stop', 'crash']) {
      const limits = { ...LIMITS, exceptions };
      const rows = [...hourly(40), intervalRow(77, 1000, NOW - AWAY, { since: NOW - AWAY - HOUR })];
      const before = afterOutage(rows, { limits });
      await before.time.advance(2000);
      const { progress, clean } =
        how === 'stop'
          ? await before.scheduler.stop(before.time.monotonic() + 1000)
          : { progress: before.scheduler.progress(true), clean: true };
      t.ok(clean, `${how}, a list of ${exceptions}`);
      const after = setUp({
        ...{ watermark: progress.frontier!, exceptions: progress.exceptions, catchupRate: 10, limits },
      });
      after.time.offset = before.time.now() - NOW;
      for (const row of rows) after.scheduler.load(row);
      after.scheduler.finishLoad();
      after.scheduler.wake();
      await watch(after, 5000);
      const times = [...before.sent, ...after.sent].map(({ id, time }) => `${id}@${time}`);
      t.equal(new Set(times).size, times.length, 'nothing twice');
      const caughtUp = [...before.sent, ...after.sent].filter(({ id }) => id <= 40);
      t.same(
        caughtUp.map(({ id }) => id).sort((a, b) => a - b),
        hourly(40).map(({ id }) => id),
      );
      t.ok(caughtUp.every(({ missed }) => missed === 2));
    }
  }
});

t.test('a route that is bad keeps its own, and no other waits longer', async (t) => {
  const stage = afterOutage(
    hourly(20).map((row) => ({
      ...row,
      routingKey: new TextEncoder().encode(row.id % 2 === 0 ? 'good' : 'bad'),
    })),
    {
      answer: Outcome.nacked,
    },
  );
  await stage.time.advance(2500);
  t.same(new Set(stage.sent.map(({ routingKey }) => routingKey)), new Set(['good', 'bad']));
  stage.behaviour.answer = Outcome.confirmed;
  await stage.time.advance(60_000);
  const { heldBack, catchUpsWaiting, confirmed } = stage.scheduler.progress().counters;
  t.same({ heldBack, catchUpsWaiting, confirmed }, { heldBack: 0, catchUpsWaiting: 0, confirmed: 20 });
});

t.test(
  'a thread that wakes a little late reaches the rate; one that stood still makes up for nothing',
  async (t) => {
    const rate = new CatchUpRate(1000);
    let gone = 0;
    const take = (monotonic: number) => {
      while (rate.has(monotonic)) {
        rate.use();
        gone++;
      }
    };
    for (let now = 0; now <= 1000; now += 7) take(now);
    t.ok(gone > 980 && gone <= 1001, String(gone));
    gone = 0;
    take(61_000);
    t.equal(gone, 20);
    t.equal(rate.untilNext(61_000), 10, 'a few at a time');
  },
);

t.test('after a step back of the clock what was missed waits for its time again', async (t) => {
  const limits = { ...LIMITS, exceptions: 4 };
  const stage = afterOutage(hourly(20), { catchupRate: 1, limits });
  await stage.time.advance(2500);
  const before = stage.sent.length;
  stage.time.offset -= AWAY;
  stage.scheduler.wake();
  await stage.time.advance(MINUTE);
  t.equal(stage.sent.length, before, 'none comes before its time');
  stage.time.offset += AWAY;
  stage.scheduler.wake();
  await stage.time.advance(30_000);
  t.same(
    [...new Set(stage.sent.map(({ id }) => id))].sort((a, b) => a - b),
    hourly(20).map(({ id }) => id),
  );
});

t.test('what a bad route refuses over and over takes no place from others', async (t) => {
  const keyed = (row: JobRow, key: string) => ({ ...row, routingKey: new TextEncoder().encode(key) });
  const bad = hourly(60).map((row) => keyed(row, 'bad'));
  const good = hourly(20, 101).map((row) => keyed(row, 'good'));
  const stage = afterOutage([...bad, ...good], {
    answer: 'hold',
    watermark: NOW,
    exceptions: [...bad, ...good].map(({ id, schedule: { firstRun } }) => [id, firstRun + HOUR, 1]),
  });
  const arrived = new Set<number>();
  for (let passed = 0; passed < 12_000; passed += 10) {
    await stage.time.advance(10);
    for (const { batch, answer } of stage.held.splice(0)) {
      const keys = Array.from(batch.routeOf, (route) => batch.routes[route]!.routingKey);
      for (const [place, key] of keys.entries()) if (key === 'good') arrived.add(batch.ids[place]!);
      await answer(keys.map((key) => (key === 'good' ? Outcome.confirmed : Outcome.nacked)));
    }
  }
  t.equal(arrived.size, 20, 'in the time that all take where none is bad');
});
