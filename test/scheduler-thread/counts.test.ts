import t from 'tap';
import { LATENESS_BOUNDS } from '../../src/protocol/lateness.ts';
import { Outcome } from '../../src/protocol/scheduler-publisher.ts';
import { Connections } from '../../src/scheduler-thread/connections.ts';
import { DueCount } from '../../src/scheduler-thread/due-count.ts';
import { LatenessCount } from '../../src/scheduler-thread/lateness-count.ts';
import { PriorityQueue } from '../../src/scheduler-thread/priority-queue.ts';
import { Scheduler } from '../../src/scheduler-thread/scheduler.ts';
import { listed } from '../helpers/exceptions.ts';
import { ManualTime } from '../helpers/manual-time.ts';
import { seededRandom } from '../helpers/random.ts';
import { intervalRow } from '../helpers/rows.ts';

const NOW = 1_800_000_000_000;

t.test('each lateness falls into its bucket', async (t) => {
  const count = new LatenessCount();
  const late = [-3, 0, 1, 1.5, 5, 299_999, 300_000, 300_001];
  const times = new Float64Array(late.length + 1).fill(NOW);
  // The last one was never written.
  count.note(times, Float64Array.from([...late.map((ms) => NOW + ms), 0]), 0);
  const { counts, sum } = count.read();
  const expected = new Float64Array(LATENESS_BOUNDS.length + 1);
  expected.set([3, 1, 1]);
  expected[LATENESS_BOUNDS.indexOf(300_000)] = 2;
  expected[LATENESS_BOUNDS.length] = 1;
  t.same([...counts], [...expected]);
  t.equal(sum, 7.5 + 900_000, 'one that is early takes nothing off');
  count.note(times, Float64Array.of(NOW + 1), 0);
  t.equal(counts[0], 3, 'what was read is a copy');
});

t.test('the queue counts what is due', async (t) => {
  const random = seededRandom(5);
  const queue = new PriorityQueue();
  const times = new Map<number, number>();
  t.equal(queue.countUntil(Number.POSITIVE_INFINITY), 0);
  for (let step = 0; step < 500; step++) {
    const slot = Math.floor(random() * 200);
    const time = Math.floor(random() * 1000);
    if (random() < 0.2) {
      queue.remove(slot);
      times.delete(slot);
    } else {
      queue.set(slot, time);
      times.set(slot, time);
    }
    const until = Math.floor(random() * 1000);
    const expected = [...times.values()].filter((time) => time <= until).length;
    if (queue.countUntil(until) !== expected) t.fail(`step ${step}`);
  }
  t.equal(queue.countUntil(Number.POSITIVE_INFINITY), times.size);
});

t.test('many that are due are not counted at each report', async (t) => {
  const queue = new PriorityQueue();
  const count = new DueCount();
  for (let slot = 0; slot < 1001; slot++) queue.set(slot, NOW);
  t.equal(count.read(queue, NOW - 1, 0), 0);
  t.equal(count.read(queue, NOW, 1), 1001, 'a small number is never kept');
  queue.remove(0);
  t.equal(count.read(queue, NOW, 1000), 1001);
  t.equal(count.read(queue, NOW, 1001), 1000);
  for (let slot = 0; slot < 200_000; slot++) queue.set(slot, NOW);
  t.equal(count.read(queue, NOW, 2001), 200_000);
  queue.remove(0);
  t.equal(count.read(queue, NOW, 4000), 200_000, 'the more there are, the longer');
  t.equal(count.read(queue, NOW, 4001), 199_999);
  t.equal(count.read(queue, NOW - 1, 4002), 0, 'none is known at once');
});

t.test('a connection in the place of a lost one is a reconnect', async (t) => {
  const connections = new Connections();
  connections.delete(1);
  connections.add(1);
  connections.add(2);
  connections.add(2);
  t.match(connections, { size: 2, reconnects: 0 }, 'the first ones are none');
  connections.delete(1);
  connections.delete(1);
  t.match(connections, { size: 1, reconnects: 0 });
  connections.add(3);
  t.match(connections, { size: 2, reconnects: 1 }, 'under the id of another thread');
  connections.add(4);
  t.match(connections, { size: 3, reconnects: 1 });
});

t.test('the scheduler reports them', async (t) => {
  const time = new ManualTime(NOW);
  const scheduler = new Scheduler({
    clock: time,
    timers: time,
    random: () => 0.5,
    publish: async (batch) => {
      // As in the pool, where the buffer goes to another thread.
      const times = structuredClone(batch.times, { transfer: [batch.times.buffer as ArrayBuffer] });
      return {
        threadId: 1,
        outcomes: new Uint8Array(batch.count).fill(Outcome.confirmed),
        writtenAt: times.map((scheduled) => scheduled + 4),
      };
    },
    batchesAtOnce: 8,
    exchange: '',
    tag: 'k3x9',
    misfireAfter: 60_000,
    misfireBacklog: 1000,
    watermark: NOW,
    exceptions: listed([
      [1, NOW - 1000],
      [2, NOW - 1],
    ]),
    trustedUntil: Number.POSITIVE_INFINITY,
    lease: 15_000,
    onReturned: () => {},
    onRefused: () => {},
  });
  // Job 1 owes its exception; job 2 has none at that time any more.
  scheduler.load(intervalRow(1, 1000, NOW - 1000));
  scheduler.load(intervalRow(2, 1000, NOW + 500));
  scheduler.finishLoad();
  await time.advance(500);
  t.match(scheduler.progress().counters, { recovered: 1, heldBack: 2, dueNow: 0, connections: 0, jobs: 2 });
  scheduler.hear({ type: 'connection.changed', threadId: 1, connected: true, reason: null, blocked: false });
  await time.advance(0);
  scheduler.hear({ type: 'connection.changed', threadId: 1, connected: false, reason: 'low', blocked: true });
  t.match(scheduler.progress().counters, { connections: 0, reconnects: 0 }, 'blocked');
  scheduler.hear({ type: 'connection.changed', threadId: 1, connected: true, reason: null, blocked: false });
  t.match(
    scheduler.progress().counters,
    { connections: 1, reconnects: 0 },
    'the connection stood all the time',
  );
  scheduler.loseThread(1);
  scheduler.hear({ type: 'connection.changed', threadId: 2, connected: true, reason: null, blocked: false });
  const { counters } = scheduler.progress();
  t.match(counters, { dueNow: 0, connections: 1, reconnects: 1 });
  t.ok(counters.dispatched > 0);
  t.equal(counters.lateness.counts[2], counters.dispatched, 'each message that was written');
  t.equal(counters.lateness.sum, 4 * counters.dispatched);
});
