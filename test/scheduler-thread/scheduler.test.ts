import t from 'tap';
import { decodeExceptions } from '../../src/job/exceptions.ts';
import { Outcome, type OutcomeCode } from '../../src/protocol/scheduler-publisher.ts';
import { LIMITS } from '../../src/scheduler-thread/limits.ts';
import { intervalRow, oneOffRow } from '../helpers/rows.ts';
import { LEASE, NOW, type Sent, setUp, upsert } from './scheduler-stage.ts';

t.test('a job runs at its times, on its phase', async (t) => {
  const { scheduler, time, sent } = setUp();
  scheduler.finishLoad();
  scheduler.apply(1, [upsert(intervalRow(7, 60_000, NOW + 60_000, { name: '1234' }))]);
  await time.advance(59_999);
  t.equal(sent.length, 0);
  await time.advance(1);
  t.same(sent, [
    { id: 7, time: NOW + 60_000, missed: 0, expiration: 60_000, routingKey: 'check_feed', body: '1234' },
  ]);
  await time.advance(600_000);
  t.same(
    sent.map(({ time }) => time),
    Array.from({ length: 11 }, (_, k) => NOW + 60_000 * (k + 1)),
  );
});

t.test('a crash in a catch-up repeats nothing that a checkpoint knows as run', async (t) => {
  // 60 jobs, each with a few missed times; a batch is ten of them, and its answers are held back.
  const rows = Array.from({ length: 60 }, (_, index) =>
    intervalRow(index + 1, 20_000, NOW - 100_000 + index * 300),
  );
  const limits = { ...LIMITS, batch: 10, unconfirmed: 10 };
  const first = setUp({ answer: 'hold', watermark: NOW - 90_000, limits });
  for (const row of rows) first.scheduler.load(row);
  first.scheduler.finishLoad();
  first.scheduler.wake();
  for (let batch = 0; batch < 3; batch++) {
    await first.held[batch]!.answer(new Array(10).fill(Outcome.confirmed));
    await first.time.advance(50);
    first.scheduler.progress();
  }
  t.equal(first.sent.length, 40, 'thirty have run, ten are on their way');
  const { frontier, exceptions } = first.scheduler.progress();
  t.ok(frontier! < NOW - 50_000, 'the watermark waits for those that are still to be taken');

  const second = setUp({ watermark: frontier!, exceptions, limits: LIMITS });
  for (const row of rows.toReversed()) second.scheduler.load(row);
  // A change counts from its stamp, whatever an earlier schedule of the job had run.
  second.scheduler.apply(1, [
    upsert({ ...intervalRow(1, 20_000, NOW - 15_000), since: NOW - 30_000, version: 9 }),
  ]);
  second.scheduler.finishLoad();
  second.scheduler.wake();
  await second.time.advance(0);
  const ran = first.sent.slice(0, 30).map(({ id }) => id);
  const again = second.sent.map(({ id }) => id).filter((id) => ran.includes(id));
  t.same(again, [1], 'but for the one that was changed');
  t.equal(new Set(second.sent.map(({ id }) => id)).size, 31, 'all others run');
  const missed = (sent: Sent[], id: number) => sent.find((one) => one.id === id)!.missed;
  const { id: onItsWay } = first.sent[35]!;
  t.equal(missed(second.sent, onItsWay), missed(first.sent, onItsWay), 'what was on its way');
  await second.time.advance(20_000);
  for (const { id, time } of first.sent.slice(0, 30)) {
    if (id === 1) continue;
    const next = second.sent.filter((one) => one.id === id);
    t.same(
      next.map((one) => one.time - time),
      [20_000],
      'and goes on with its next time',
    );
  }
});

t.test('waits beyond 2^31 ms', async (t) => {
  const { scheduler, time, sent } = setUp();
  scheduler.finishLoad();
  const far = NOW + 40 * 86_400_000;
  scheduler.apply(1, [upsert(oneOffRow(1, far))]);
  await time.advance(40 * 86_400_000 - 1);
  t.equal(sent.length, 0);
  await time.advance(1);
  t.same(
    sent.map(({ time }) => time),
    [far],
  );
});

t.test('one catch-up run stands for all that was missed', async (t) => {
  const { scheduler, time, sent } = setUp({ watermark: NOW - 1_000_000 });
  scheduler.load(intervalRow(1, 300_000, NOW - 1_850_000));
  scheduler.finishLoad();
  scheduler.wake();
  await time.advance(0);
  // Due since the watermark: -950, -650, -350 and -50 s; the last is younger than a minute.
  t.match(sent, [{ time: NOW - 50_000, missed: 3 }]);
  await time.advance(250_000);
  t.match(sent[1], { time: NOW + 250_000, missed: 0 }, 'and goes on at its phase');
});

t.test('a removed job runs no more, also when its removal comes before its row', async (t) => {
  const { scheduler, time, sent } = setUp();
  scheduler.apply(1, [{ op: 'remove', id: 5 }]);
  scheduler.load(intervalRow(5, 1000, NOW));
  scheduler.finishLoad();
  scheduler.apply(2, [upsert(intervalRow(6, 1000, NOW + 1000))]);
  await time.advance(1000);
  scheduler.apply(3, [{ op: 'remove', id: 6 }]);
  await time.advance(5000);
  t.same(
    sent.map(({ id }) => id),
    [6],
  );
});

t.test('a row of the snapshot does not overwrite a change', async (t) => {
  const { scheduler, time, sent } = setUp();
  scheduler.apply(1, [upsert(intervalRow(5, 1000, NOW + 500, { version: 2, name: 'new' }))]);
  scheduler.load(intervalRow(5, 1000, NOW + 100, { version: 1, name: 'old' }));
  scheduler.finishLoad();
  await time.advance(900);
  t.match(sent, [{ time: NOW + 500, body: 'new' }]);
  t.equal(sent.length, 1);
});

t.test('the frontier', async (t) => {
  t.test('does not move while the table loads', async (t) => {
    const { scheduler } = setUp();
    t.equal(scheduler.progress().frontier, null);
    scheduler.finishLoad();
    t.equal(scheduler.progress().frontier, NOW + 1);
  });

  t.test('passes what is unsettled, which is listed', async (t) => {
    const { scheduler, time, held, listed } = setUp({ answer: 'hold' });
    scheduler.finishLoad();
    scheduler.apply(9, [upsert(intervalRow(3, 60_000, NOW + 10))]);
    await time.advance(50);
    t.equal(scheduler.progress().frontier, NOW + 51);
    t.same(listed(), [[3, NOW + 10]]);
    t.equal(scheduler.progress().acknowledged, 9);
    await held[0]!.answer([Outcome.confirmed]);
    t.same(listed(), []);
    t.equal(scheduler.progress().settledCount, 1);
  });

  t.test('goes on while the broker is away: what is due meanwhile is listed', async (t) => {
    const { scheduler, time, connect, sent, listed } = setUp();
    scheduler.finishLoad();
    connect(false);
    scheduler.apply(1, [upsert(intervalRow(3, 60_000, NOW + 10))]);
    await time.advance(1000);
    t.equal(scheduler.progress().frontier, NOW + 1001);
    t.same(listed(), [[3, NOW + 10]]);
    t.equal(sent.length, 0);
    connect();
    await time.advance(0);
    t.same(
      sent.map(({ time }) => time),
      [NOW + 10],
    );
    t.equal(scheduler.progress().frontier, NOW + 1001);
  });

  t.test('passes what comes in while it stops, which is listed', async (t) => {
    const { scheduler, time, held } = setUp({ answer: 'hold' });
    scheduler.finishLoad();
    scheduler.apply(1, [upsert(intervalRow(3, 60_000, NOW + 10))]);
    await time.advance(50);
    const stopped = scheduler.stop(time.monotonic() + 1000);
    scheduler.apply(2, [upsert(intervalRow(4, 60_000, NOW + 20))]);
    await held[0]!.answer([Outcome.confirmed]);
    const { progress, clean } = await stopped;
    t.ok(clean);
    t.equal(progress.frontier, NOW + 51);
    const { ids, times } = decodeExceptions(progress.exceptions);
    t.same([[...ids], [...times]], [[4], [NOW + 20]]);
  });

  t.test('holds where the list is full', async (t) => {
    const { scheduler, time, listed } = setUp({ answer: 'hold' });
    scheduler.finishLoad();
    const rows = Array.from({ length: 10_050 }, (_, id) => intervalRow(id + 1, 600_000, NOW + 10 + id));
    scheduler.apply(1, rows.map(upsert));
    // Nothing is ever answered, so publishers soon have all they take: the rest stays in the queue.
    await time.advance(20_000);
    const { frontier } = scheduler.progress();
    t.ok(frontier !== null && frontier <= NOW + 10 + 10_000, 'not beyond the first that is not listed');
    t.ok(listed().every(([, at]) => at! < frontier!));
  });
});

t.test('exceptions are due at once; what has settled before the watermark is not', async (t) => {
  const watermark = NOW - 100;
  const { scheduler, time, sent } = setUp({
    watermark,
    exceptions: [
      [1, NOW - 10_000],
      [2, NOW - 20_000],
      [3, NOW - 30_000],
      [4, NOW - 40_000],
    ],
  });
  scheduler.load(intervalRow(1, 60_000, NOW - 10_000));
  scheduler.load(oneOffRow(2, NOW - 20_000));
  scheduler.load(intervalRow(3, 60_000, NOW - 29_000, { since: NOW - 29_500 }));
  scheduler.load(intervalRow(4, 60_000, NOW - 40_000, { enabled: false }));
  scheduler.load(oneOffRow(5, NOW - 500));
  scheduler.finishLoad();
  scheduler.wake();
  await time.advance(0);
  t.same(
    sent.map(({ id, time }) => [id, time]).sort(),
    [
      [1, NOW - 10_000],
      [2, NOW - 20_000],
    ],
    'not where the row has a later since, nor where it is paused',
  );
  t.same(
    scheduler
      .progress()
      .settledJobs.map(({ id }) => id)
      .sort(),
    [2, 5],
    'a one-off before the watermark that is no exception is to be deleted',
  );
});

t.test('an exception that the job has overtaken is superseded', async (t) => {
  const { scheduler, time, sent } = setUp({ watermark: NOW - 2000, exceptions: [[1, NOW - 60_500]] });
  scheduler.load(intervalRow(1, 60_000, NOW - 60_500));
  scheduler.finishLoad();
  scheduler.wake();
  await time.advance(0);
  t.match(sent, [{ time: NOW - 500, missed: 1 }]);
  t.equal(sent.length, 1);
});

t.test('what an outage has superseded is counted, also after a restart', async (t) => {
  const watermark = NOW - 100;
  const first = setUp({ watermark });
  first.scheduler.load(intervalRow(1, 60_000, NOW + 500));
  first.scheduler.finishLoad();
  first.connect(false);
  for (let minute = 0; minute < 10; minute++) {
    await first.time.advance(60_000);
    first.scheduler.progress();
  }
  const { exceptions } = first.scheduler.progress();
  const list = decodeExceptions(exceptions);
  t.same([[...list.ids], [...list.times], [...list.behind]], [[1], [NOW + 540_500], [9]]);

  const second = setUp({ watermark: NOW + 600_000, exceptions: [[1, NOW + 540_500, 9]] });
  await second.time.advance(600_100);
  second.scheduler.load(intervalRow(1, 60_000, NOW + 500));
  second.scheduler.finishLoad();
  await second.time.advance(10);
  t.match(second.sent, [{ time: NOW + 540_500, missed: 9 }]);
});

t.test('outcomes', async (t) => {
  t.test('nacked: tried again later, the same occurrence', async (t) => {
    const { scheduler, time, sent, behaviour, listed } = setUp({ answer: Outcome.nacked });
    scheduler.finishLoad();
    scheduler.apply(1, [upsert(intervalRow(1, 600_000, NOW + 10))]);
    await time.advance(10);
    t.equal(sent.length, 1);
    t.same(listed(), [[1, NOW + 10]], 'held back, and listed');
    behaviour.answer = Outcome.confirmed;
    await time.advance(99);
    t.equal(sent.length, 1, 'not at once');
    await time.advance(1);
    t.same(
      sent.map(({ time }) => time),
      [NOW + 10, NOW + 10],
    );
    t.same(listed(), []);
  });

  t.test('nacked: told when it begins and when it is over, however often it comes and goes', async (t) => {
    const { scheduler, time, behaviour, refusals } = setUp({ answer: Outcome.nacked });
    scheduler.finishLoad();
    scheduler.apply(1, [
      upsert(intervalRow(1, 500, NOW + 10)),
      upsert(intervalRow(2, 500, NOW + 10, { key: 'b' })),
    ]);
    await time.advance(20_000);
    t.same(refusals.splice(0), [
      ['check_feed', true],
      ['b', true],
    ]);
    for (let count = 0; count < 10; count++) {
      behaviour.answer = count % 2 === 0 ? Outcome.confirmed : Outcome.nacked;
      await time.advance(1000);
    }
    t.same(refusals, []);
    behaviour.answer = Outcome.confirmed;
    await time.advance(20_000);
    t.same(refusals, [
      ['check_feed', false],
      ['b', false],
    ]);
  });

  t.test('lost and unsent are tried again', async (t) => {
    for (const outcome of [Outcome.lost, Outcome.unsent]) {
      const { scheduler, time, sent, behaviour } = setUp({ answer: outcome });
      scheduler.finishLoad();
      scheduler.apply(1, [upsert(intervalRow(1, 600_000, NOW + 10))]);
      await time.advance(10);
      behaviour.answer = Outcome.confirmed;
      await time.advance(1000);
      t.equal(sent.length, 2);
      t.equal(scheduler.progress().settledCount, 1);
    }
  });

  t.test('returned: settled, counted and told', async (t) => {
    const { scheduler, time, sent, returned } = setUp({ answer: Outcome.returned });
    scheduler.finishLoad();
    scheduler.apply(1, [upsert(intervalRow(1, 600_000, NOW + 10))]);
    await time.advance(1000);
    t.equal(sent.length, 1);
    t.same(returned, [{ routingKey: 'check_feed', time: NOW + 10, job: [1, '1'] }]);
    t.match(scheduler.progress(), { settledCount: 1, counters: { returned: 1, confirmed: 0 } });
  });

  t.test('pending: a later report settles it, once', async (t) => {
    const { scheduler, time, held, listed } = setUp({ answer: 'hold' });
    scheduler.finishLoad();
    scheduler.apply(1, [upsert(intervalRow(1, 600_000, NOW + 10))]);
    await time.advance(10);
    await held[0]!.answer([Outcome.pending]);
    t.same(listed(), [[1, NOW + 10]]);
    const report = {
      type: 'outcomes.settled',
      threadId: 1,
      batches: Float64Array.of(held[0]!.batch.number),
      positions: Uint32Array.of(0),
      outcomes: Uint8Array.of(Outcome.confirmed),
    } as const;
    scheduler.hear(report);
    scheduler.hear(report);
    t.same(listed(), []);
    t.equal(scheduler.progress().settledCount, 1);
  });

  t.test(
    'a thread that ends: what it had pending, and what it had not answered, is tried again',
    async (t) => {
      const { scheduler, time, sent, held } = setUp({ answer: 'hold' });
      scheduler.finishLoad();
      scheduler.apply(1, [
        upsert(intervalRow(1, 600_000, NOW + 10)),
        upsert(intervalRow(2, 600_000, NOW + 20)),
      ]);
      await time.advance(20);
      await held[0]!.answer([Outcome.pending]);
      await held[1]!.crash();
      scheduler.loseThread(1);
      scheduler.hear({
        type: 'connection.changed',
        threadId: 2,
        connected: true,
        reason: null,
        blocked: false,
      });
      await time.advance(1000);
      t.same(
        sent.map(({ id }) => id),
        [1, 2, 2, 1],
      );
    },
  );
});

t.test('a one-off runs once, and its row is to be deleted', async (t) => {
  const { scheduler, time, sent } = setUp();
  scheduler.finishLoad();
  scheduler.apply(1, [upsert(oneOffRow(4, NOW + 100, { version: 3 }))]);
  await time.advance(100);
  t.match(sent, [{ id: 4, time: NOW + 100, expiration: 0 }]);
  t.same(scheduler.progress().settledJobs, [{ id: 4, version: 3 }]);
  t.same(scheduler.progress().settledJobs, [], 'told once');
  const changed = oneOffRow(4, NOW + 100, { version: 4 });
  scheduler.apply(2, [upsert(changed)]);
  t.same(
    scheduler.progress().settledJobs,
    [{ id: 4, version: 4 }],
    'a change without a new since leaves it settled',
  );
  const row = oneOffRow(4, NOW + 5000, { version: 5, since: NOW + 200 });
  scheduler.apply(3, [upsert(row)]);
  await time.advance(10_000);
  t.equal(sent.length, 2, 'a change with a new since arms it anew');
});

t.test('changes and flights', async (t) => {
  t.test('a job changed while in flight: what is not owed any more is not tried again', async (t) => {
    const { scheduler, time, held, sent } = setUp({ answer: 'hold' });
    scheduler.finishLoad();
    scheduler.apply(1, [upsert(intervalRow(1, 60_000, NOW + 10))]);
    await time.advance(10);
    scheduler.apply(2, [upsert(intervalRow(1, 15_000, NOW + 15_020, { version: 2, since: NOW + 20 }))]);
    await held[0]!.answer([Outcome.nacked]);
    await time.advance(15_000);
    t.equal(sent.length, 1);
    await time.advance(10);
    t.same(
      sent.map(({ time }) => time),
      [NOW + 10, NOW + 15_020],
    );
    t.match(scheduler.progress().counters, { cancelled: 1 });
  });

  t.test('still owed: tried again with the new message', async (t) => {
    const { scheduler, time, held, sent, behaviour } = setUp({ answer: 'hold' });
    scheduler.finishLoad();
    scheduler.apply(1, [upsert(intervalRow(1, 60_000, NOW + 10, { key: 'a' }))]);
    await time.advance(10);
    scheduler.apply(2, [upsert(intervalRow(1, 60_000, NOW + 10, { key: 'b', version: 2 }))]);
    behaviour.answer = Outcome.confirmed;
    await held[0]!.answer([Outcome.lost]);
    await time.advance(1000);
    t.same(
      sent.map(({ routingKey, time }) => [routingKey, time]),
      [
        ['a', NOW + 10],
        ['b', NOW + 10],
      ],
    );
  });

  t.test('a change stamped before the time ran does not run it again', async (t) => {
    for (const confirmed of [true, false]) {
      const { scheduler, time, held, sent, behaviour } = setUp({ answer: 'hold' });
      scheduler.finishLoad();
      scheduler.apply(1, [upsert(intervalRow(1, 1000, NOW + 10))]);
      await time.advance(10);
      behaviour.answer = Outcome.confirmed;
      if (confirmed) await held[0]!.answer([Outcome.confirmed]);
      // The stamp is older than what was taken meanwhile, and the new schedule has that time too.
      scheduler.apply(2, [upsert(intervalRow(1, 1000, NOW + 10, { version: 2, since: NOW + 5 }))]);
      await time.advance(1005);
      if (!confirmed) await held[0]!.answer([Outcome.confirmed]);
      await time.advance(0);
      t.same(
        sent.map(({ time }) => time),
        [NOW + 10, NOW + 1010],
        confirmed ? 'confirmed' : 'in flight',
      );
    }
  });

  t.test('what is in flight at a change, and is lost before its turn, is not taken for run', async (t) => {
    const { scheduler, time, held, sent, behaviour, connect } = setUp({ answer: 'hold' });
    scheduler.finishLoad();
    scheduler.apply(1, [upsert(intervalRow(1, 1000, NOW + 10))]);
    await time.advance(10);
    connect(false);
    // The commit took 2 s; the new schedule has the time that is in flight, and earlier ones.
    const late = { version: 2, since: NOW - 2000 };
    scheduler.apply(2, [upsert(intervalRow(1, 1000, NOW - 1990, late))]);
    behaviour.answer = Outcome.confirmed;
    await held[0]!.answer([Outcome.lost]);
    connect();
    await time.advance(900);
    t.same(
      sent.map(({ time }) => time),
      [NOW + 10, NOW + 10],
    );
  });

  t.test('a time that is cancelled and owed again while a publisher has it', async (t) => {
    for (const outcome of [Outcome.confirmed, Outcome.lost]) {
      const { scheduler, time, held, sent, behaviour, listed } = setUp({ answer: 'hold' });
      scheduler.finishLoad();
      scheduler.apply(1, [upsert(intervalRow(1, 1000, NOW + 10))]);
      // Turns are taken again by then.
      await time.advance(13);
      scheduler.apply(2, [upsert(intervalRow(1, 1000, NOW + 15, { version: 2, since: NOW + 6 }))]);
      t.same(listed(), []);
      scheduler.apply(3, [upsert(intervalRow(1, 1000, NOW + 10, { version: 3, since: NOW + 7 }))]);
      t.same(listed(), [[1, NOW + 10]]);
      behaviour.answer = Outcome.confirmed;
      await held[0]!.answer([outcome]);
      await time.advance(900);
      t.equal(sent.length, outcome === Outcome.confirmed ? 1 : 2);
      t.same(listed(), []);
    }
  });

  t.test('a one-off whose time has run is settled, though a publisher still has what is void', async (t) => {
    const { scheduler, time, held } = setUp({ answer: 'hold' });
    scheduler.finishLoad();
    scheduler.apply(1, [upsert(intervalRow(1, 1000, NOW + 10))]);
    await time.advance(1010);
    await held[1]!.answer([Outcome.confirmed]);
    scheduler.apply(2, [upsert(oneOffRow(1, NOW + 1010, { version: 2, since: NOW + 1005 }))]);
    t.same(scheduler.progress().settledJobs, [{ id: 1, version: 2 }]);
  });

  t.test('removed while in flight: the outcome changes nothing', async (t) => {
    const { scheduler, time, held, sent, listed } = setUp({ answer: 'hold' });
    scheduler.finishLoad();
    scheduler.apply(1, [upsert(intervalRow(1, 60_000, NOW + 10))]);
    await time.advance(10);
    scheduler.apply(2, [{ op: 'remove', id: 1 }]);
    // Its slot is used again.
    scheduler.apply(3, [upsert(intervalRow(2, 60_000, NOW + 50_000))]);
    t.same(listed(), []);
    await held[0]!.answer([Outcome.nacked]);
    await time.advance(40_000);
    t.equal(sent.length, 1);
  });
});

t.test('a bad route does not hold up the others', async (t) => {
  const { scheduler, time, held, sent } = setUp({ answer: 'hold' });
  scheduler.finishLoad();
  scheduler.apply(
    1,
    Array.from({ length: 100 }, (_, id) =>
      upsert(intervalRow(id + 1, 600_000, NOW + 10 + id * 100, { key: 'bad' })),
    ),
  );
  scheduler.apply(2, [upsert(intervalRow(999, 1000, NOW + 15, { key: 'good' }))]);
  const confirmGood = async () => {
    for (const { batch, answer } of held.splice(0)) {
      await answer(
        Array.from(batch.routeOf, (route) =>
          batch.routes[route]!.routingKey === 'good' ? Outcome.confirmed : Outcome.pending,
        ),
      );
    }
  };
  for (let step = 0; step < 1200; step++) {
    await time.advance(10);
    await confirmGood();
  }
  t.equal(sent.filter(({ routingKey }) => routingKey === 'good').length, 12);
  t.equal(
    sent.filter(({ routingKey }) => routingKey === 'bad').length,
    16,
    'the stalled route has 16 unconfirmed',
  );
  t.equal(scheduler.progress().frontier, NOW + 12_001, 'the watermark goes on');
  t.match(scheduler.progress().counters, { inFlight: 16, heldBack: 84 });
});

t.test('what is due is held back when nothing is confirmed for long, and not before', async (t) => {
  const { scheduler, time, held, sent } = setUp({ answer: 'hold' });
  scheduler.finishLoad();
  scheduler.apply(
    1,
    Array.from({ length: 9000 }, (_, id) => upsert(intervalRow(id + 1, 600_000, NOW + 10))),
  );
  await time.advance(10);
  while (held.length > 0) {
    const { batch, answer } = held.shift()!;
    await answer(new Array(batch.count).fill(Outcome.pending));
    await time.advance(5);
  }
  t.equal(sent.length, 8000);
  t.match(scheduler.progress().counters, { dueNow: 1000, heldBack: 0 });
  // Nobody tells it anything.
  await time.advance(3000);
  t.match(scheduler.progress().counters, { dueNow: 0, heldBack: 1000 });
});

t.test('a route that cannot be used for long costs one record a job', async (t) => {
  const { scheduler, time, sent } = setUp();
  scheduler.finishLoad();
  const exchange = { type: 'exchange.changed', threadId: 1, exchange: '', reason: null } as const;
  scheduler.hear({ ...exchange, usable: false });
  scheduler.apply(
    1,
    Array.from({ length: 100 }, (_, id) => upsert(intervalRow(id + 1, 1000, NOW + 10 + id))),
  );
  for (let round = 0; round < 300; round++) {
    const id = 1000 + round;
    scheduler.apply(2 + round * 2, [upsert(intervalRow(id, 60_000, time.now()))]);
    await time.advance(1000);
    scheduler.apply(3 + round * 2, [{ op: 'remove', id }]);
  }
  t.equal(sent.length, 0);
  const { due, superseded, cancelled, heldBack } = scheduler.progress().counters;
  t.same({ heldBack, cancelled }, { heldBack: 100, cancelled: 300 });
  t.equal(due, superseded + cancelled + heldBack);
  scheduler.hear({ ...exchange, usable: true });
  await time.advance(0);
  t.equal(sent.length, 100, 'one run for each job that is left');
  t.ok(sent.every(({ missed, time: at }) => missed >= 298 && at > NOW + 298_000));
});

t.test('an exchange is given up only when no connected thread can use it', async (t) => {
  const { scheduler, time, sent } = setUp();
  scheduler.finishLoad();
  scheduler.hear({ type: 'connection.changed', threadId: 2, connected: true, reason: null, blocked: false });
  const report = { type: 'exchange.changed', exchange: '', usable: false, reason: null } as const;
  scheduler.hear({ ...report, threadId: 1 });
  scheduler.apply(1, [upsert(intervalRow(1, 1000, NOW + 10))]);
  await time.advance(500);
  t.equal(sent.length, 1, 'the other one may');
  scheduler.hear({ ...report, threadId: 2 });
  await time.advance(2000);
  t.equal(sent.length, 1);
  scheduler.hear({ type: 'connection.changed', threadId: 2, connected: false, reason: '', blocked: false });
  scheduler.hear({ type: 'connection.changed', threadId: 1, connected: false, reason: '', blocked: false });
  scheduler.hear({ type: 'connection.changed', threadId: 1, connected: true, reason: null, blocked: false });
  await time.advance(100);
  t.ok(sent.length > 1, 'what a thread knew goes with its connection');
});

t.test('what is due while the table loads does not wait for its end', async (t) => {
  const { scheduler, time, sent } = setUp();
  scheduler.load(intervalRow(1, 60_000, NOW - 10));
  await time.advance(20);
  t.equal(sent.length, 1);
});

t.test('nothing is taken past the lease', async (t) => {
  const { scheduler, time, sent } = setUp();
  scheduler.finishLoad();
  scheduler.trust(time.monotonic() + 100);
  scheduler.apply(1, [upsert(intervalRow(1, 1000, NOW + 50)), upsert(intervalRow(2, 1000, NOW + 150))]);
  await time.advance(900);
  t.same(
    sent.map(({ id }) => id),
    [1],
  );
  scheduler.trust(time.monotonic() + 10_000);
  await time.advance(0);
  t.same(
    sent.map(({ id }) => id),
    [1, 2],
  );
});

t.test('a batch is trusted for a part of the lease, also while the lease is trusted for ever', async (t) => {
  const { scheduler, time, held, sent } = setUp({ answer: 'hold' });
  scheduler.finishLoad();
  scheduler.apply(1, [upsert(intervalRow(1, 60_000, NOW + 50))]);
  await time.advance(50);
  t.equal(held[0]!.batch.trustedUntil, time.monotonic() + (LEASE * 2) / 3);
  // It waited for too long in the publisher.
  await time.advance(LEASE);
  await held[0]!.answer([Outcome.unsent]);
  scheduler.trust(time.monotonic() + 1000);
  await time.advance(100);
  t.equal(sent.length, 2);
  t.equal(sent[1]!.time, sent[0]!.time);
  t.ok(held[1]!.batch.trustedUntil <= time.monotonic() + 1000, 'never longer than the lease itself');
});

t.test('a clean stop', async (t) => {
  t.test('waits for what is in flight', async (t) => {
    const { scheduler, time, held } = setUp({ answer: 'hold' });
    scheduler.finishLoad();
    scheduler.apply(1, [upsert(intervalRow(1, 60_000, NOW + 10))]);
    await time.advance(10);
    const stopped = scheduler.stop(time.monotonic() + 8000);
    await time.advance(1000);
    await held[0]!.answer([Outcome.confirmed]);
    const { clean, progress } = await stopped;
    t.equal(clean, true);
    t.equal(decodeExceptions(progress.exceptions).ids.length, 0);
  });

  t.test('what ran in the very ms of the stop is before the watermark', async (t) => {
    const { scheduler, time, sent } = setUp();
    scheduler.finishLoad();
    scheduler.apply(1, [upsert(intervalRow(1, 60_000, NOW + 10))]);
    await time.advance(10);
    t.equal(sent.length, 1);
    const { progress, clean } = await scheduler.stop(time.monotonic() + 8000);
    t.equal(clean, true);
    t.ok(progress.frontier! > NOW + 10);
  });

  t.test('lists what is due and is not taken any more', async (t) => {
    const { scheduler, time, connect } = setUp();
    scheduler.finishLoad();
    connect(false);
    scheduler.apply(1, [upsert(intervalRow(1, 60_000, NOW + 10))]);
    await time.advance(500);
    const { progress, clean } = await scheduler.stop(time.monotonic() + 8000);
    t.equal(clean, true);
    t.same([...decodeExceptions(progress.exceptions).times], [NOW + 10]);
    t.ok(progress.frontier! > NOW + 500);
  });

  t.test('while the table loads it is not clean once something has run', async (t) => {
    for (const ran of [false, true]) {
      const { scheduler, time } = setUp();
      if (ran) scheduler.apply(1, [upsert(intervalRow(1, 60_000, NOW + 10))]);
      await time.advance(10);
      const { clean, progress } = await scheduler.stop(time.monotonic() + 8000);
      t.equal(clean, !ran);
      t.equal(progress.frontier, null);
    }
  });

  t.test('when the time runs out, what is left is listed, and it says so', async (t) => {
    const { scheduler, time } = setUp({ answer: 'hold' });
    scheduler.finishLoad();
    scheduler.apply(1, [upsert(intervalRow(1, 60_000, NOW + 10))]);
    await time.advance(10);
    const stopped = scheduler.stop(time.monotonic() + 8000);
    await time.advance(8000);
    const { clean, progress } = await stopped;
    t.equal(clean, false);
    t.same([...decodeExceptions(progress.exceptions).ids], [1]);
  });
});

t.test('every occurrence that came due is accounted for, whatever happens', async (t) => {
  const { seededRandom } = await import('../helpers/random.ts');
  const random = seededRandom(11);
  const { scheduler, time, held } = setUp({ answer: 'hold' });
  scheduler.finishLoad();
  let number = 0;
  const versions = new Map<number, number>();
  for (let step = 0; step < 3000; step++) {
    const id = 1 + Math.floor(random() * 20);
    if (random() < 0.1) {
      const version = (versions.get(id) ?? 0) + 1;
      versions.set(id, version);
      const since = Math.floor(time.now() - random() * 20);
      scheduler.apply(++number, [
        upsert(
          intervalRow(id, 1000, since + Math.floor(random() * 500), {
            version,
            since,
            enabled: random() < 0.9,
          }),
        ),
      ]);
    }
    await time.advance(Math.floor(random() * 100));
    while (held.length > 0 && random() < 0.4) {
      const { batch, answer } = held.shift()!;
      await answer(Array.from({ length: batch.count }, () => Math.floor(1 + random() * 5) as OutcomeCode));
    }
    const { due, confirmed, returned, superseded, skipped, cancelled, inFlight, heldBack } =
      scheduler.progress().counters;
    if (due !== confirmed + returned + superseded + skipped + cancelled + inFlight + heldBack) {
      t.fail(`step ${step}: ${JSON.stringify(scheduler.progress().counters)}`);
      break;
    }
  }
  const { counters } = scheduler.progress();
  t.ok(
    counters.confirmed > 500 && counters.superseded > 50 && counters.cancelled > 10,
    JSON.stringify(counters),
  );
});
