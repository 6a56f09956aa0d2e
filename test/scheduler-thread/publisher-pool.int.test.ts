import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import type { PlainError } from '../../src/errors.ts';
import { Outcome } from '../../src/protocol/scheduler-publisher.ts';
import { createPublisherPool, publisherThreads } from '../../src/scheduler-thread/publisher-pool.ts';
import { testRabbitmq } from '../helpers/servers.ts';
import { configOf, makeBatch, numbered, Reports } from '../publisher-thread/harness.ts';

const rabbit = await testRabbitmq();
t.teardown(rabbit.close);

/** Collects calls, and resolves with the next one. */
function signal<T>(): { note: (value: T) => void; next: () => Promise<T> } {
  const values: T[] = [];
  let wake = (): void => {};
  return {
    note(value) {
      values.push(value);
      wake();
    },
    async next() {
      while (values.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return values.shift()!;
    },
  };
}

t.test('every thread connects at start, publishes, and says goodbye', async (t) => {
  const reports = new Reports();
  const queue = rabbit.name();
  const consumer = await rabbit.consume(queue);
  const pool = createPublisherPool({
    init: { rabbitmq: configOf(rabbit) },
    threads: 2,
    onReport: reports.note,
    onThreadLost: (id, error) => t.fail(`thread ${id} ended`, { error }),
  });
  t.teardown(() => pool.close());
  const first = await reports.next('connection.changed', ({ connected }) => connected);
  const second = await reports.next('connection.changed', ({ connected }) => connected);
  t.not(first.threadId, second.threadId);
  const batch = makeBatch(numbered(100, { routingKey: queue }));
  const answers = await Promise.all([
    pool.publish(batch),
    pool.publish(makeBatch(numbered(100, { routingKey: queue }))),
  ]);
  t.equal(batch.ids.length, 0, 'the arrays went over, and were not copied');
  t.strictSame(answers.map(({ threadId }) => threadId).sort(), [first.threadId, second.threadId].sort());
  for (const { outcomes, writtenAt } of answers) {
    t.ok(outcomes.every((outcome) => outcome === Outcome.confirmed || outcome === Outcome.pending));
    t.ok(writtenAt.every((at) => at > 0));
    t.equal(writtenAt.length, 100);
  }
  await consumer.take(200);
  await Promise.all([pool.close(), pool.close()]);
  const after = await pool.publish(makeBatch([{ routingKey: queue }]));
  t.strictSame([...after.outcomes], [Outcome.unsent]);
});

t.test('a pool inside a worker thread', async (t) => {
  const queue = rabbit.name();
  const consumer = await rabbit.consume(queue);
  const worker = new Worker(new URL('./publisher-pool-in-worker.js', import.meta.url), {
    workerData: { rabbitmq: configOf(rabbit), queue },
  });
  t.teardown(() => worker.terminate());
  const [answer] = await once(worker, 'message');
  t.equal(answer.outcomes.length, 2);
  const [code] = await once(worker, 'exit');
  t.equal(code, 0, 'closed, the pool keeps nothing alive');
  await consumer.take(2);
});

t.test('a thread that crashes is told of, and replaced', async (t) => {
  const reports = new Reports();
  const lost = signal<[number, PlainError | null]>();
  const pool = createPublisherPool({
    init: { rabbitmq: configOf(rabbit) },
    threads: 1,
    onReport: reports.note,
    onThreadLost: (id, error) => lost.note([id, error]),
    entry: new URL('./crashing-publisher.js', import.meta.url),
  });
  t.teardown(() => pool.close());
  const first = await reports.next('connection.changed');
  await reports.next('exchange.changed', ({ usable }) => !usable);
  const { outcomes } = await pool.publish(makeBatch([{ id: 1 }, { id: 666 }]));
  t.strictSame([...outcomes], [Outcome.lost, Outcome.lost]);
  const [id, error] = await lost.next();
  t.equal(id, first.threadId);
  t.match(error, { message: 'the thread has crashed' });
  t.match(await reports.next('exchange.changed', ({ usable }) => usable), { exchange: 'bad', threadId: id });

  const second = await reports.next('connection.changed');
  t.not(second.threadId, id);
  const { outcomes: ended } = await pool.publish(makeBatch([{ id: 667 }]));
  t.strictSame([...ended], [Outcome.lost], 'a thread that exits');
  t.strictSame(await lost.next(), [second.threadId, null]);

  const third = await reports.next('connection.changed');
  const answer = await pool.publish(makeBatch([{ id: 1 }]));
  t.match(answer, { threadId: third.threadId, outcomes: Uint8Array.of(Outcome.confirmed) });
});

t.test('the number of threads', async (t) => {
  t.equal(publisherThreads(0, 2), 1);
  t.equal(publisherThreads(0, 8), 2);
  t.equal(publisherThreads(3, 8), 3);
  t.ok(publisherThreads(0) >= 1);
});
