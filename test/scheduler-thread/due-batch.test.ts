import t from 'tap';
import { Outcome } from '../../src/protocol/scheduler-publisher.ts';
import { DueBatch } from '../../src/scheduler-thread/due-batch.ts';
import { Occurrences } from '../../src/scheduler-thread/occurrences.ts';
import { intervalRow } from '../helpers/rows.ts';

const NOW = 1_000_000;

function setUp(jobs: number, keyOf: (id: number) => string) {
  const occurrences = new Occurrences('', () => 0.5, { misfireAfter: 60_000, backlog: 1000 });
  const due = new DueBatch({ occurrences, limit: 500, isUsable: () => true });
  const { arena, queue } = occurrences;
  for (let id = 1; id <= jobs; id++) {
    const routingKey = new TextEncoder().encode(keyOf(id));
    const slot = arena.add({ ...intervalRow(id, 60_000, NOW), routingKey });
    queue.set(slot, NOW);
  }
  const keys = (taken: readonly number[]) =>
    taken.map((flight) => arena.routes.get(occurrences.flights.route.get(flight)).routingKey);
  return { occurrences, due, keys };
}

t.test('a route that recovers shares the batches with what is due', async (t) => {
  const { occurrences, due, keys } = setUp(3000, () => 'bad');
  // All of the route fails, and waits.
  for (let taken = due.take(NOW, 0); taken.length > 0; taken = due.take(NOW, 0)) {
    for (const flight of taken) occurrences.settle(flight, Outcome.nacked, NOW, 0);
  }
  t.equal(occurrences.flights.waiting, 3000);
  for (let id = 3001; id <= 3010; id++) {
    const slot = occurrences.arena.add(intervalRow(id, 60_000, NOW));
    occurrences.queue.set(slot, NOW + 1);
  }
  // It recovers: its first messages, after the backoff, are confirmed.
  for (const flight of due.take(NOW, 60_000)) occurrences.settle(flight, Outcome.confirmed, NOW, 60_000);
  const batch = keys(due.take(NOW + 1, 60_001));
  t.equal(batch.length, 500);
  t.equal(batch.filter((key) => key !== 'bad').length, 10, 'what is due is in the next batch');
  t.equal(keys(due.take(NOW + 1, 60_002)).length, 500, 'and what waits fills the rest');
});

t.test('a batch ends with the message that makes its bodies a mebibyte', async (t) => {
  const { occurrences, due } = setUp(0, () => 'key');
  const { arena, queue } = occurrences;
  const add = (id: number, bytes: number) => {
    const slot = arena.add({ ...intervalRow(id, 60_000, NOW), payload: new Uint8Array(bytes) });
    queue.set(slot, NOW);
    return slot;
  };
  const size = () => {
    const taken = due.take(NOW, 0);
    for (const flight of taken) occurrences.settle(flight, Outcome.confirmed, NOW, 0);
    return taken.length;
  };
  for (let id = 1; id <= 40; id++) add(id, 65_536);
  t.same([size(), size(), size(), size()], [16, 16, 8, 0]);
  for (let id = 41; id <= 42; id++) add(id, 2 * 1_048_576);
  t.same([size(), size(), size()], [1, 1, 0], 'a larger one goes by itself');
  for (let id = 43; id <= 62; id++) occurrences.hold(occurrences.takeTurn(add(id, 65_536), NOW));
  t.same([size(), size(), size()], [16, 4, 0], 'what waited, too');
});

t.test('many waiting routes are not looked through at each turn', async (t) => {
  const { occurrences, due } = setUp(500, (id) => `bad-${id}`);
  for (const flight of due.take(NOW, 0)) occurrences.settle(flight, Outcome.nacked, NOW, 0);
  t.equal(due.untilRetry(0), 5);
  t.equal(due.take(NOW, 3).length, 0);
  t.equal(due.take(NOW, 60_000).length, 500, 'each comes in its turn');
});

t.test('what is due stays in the queue while all routes are full', async (t) => {
  const { occurrences, due } = setUp(20_000, () => 'busy');
  const { flights, queue } = occurrences;
  const sent: number[] = [];
  const takeAll = (monotonic: number) => {
    for (let taken = due.take(NOW, monotonic); taken.length > 0; taken = due.take(NOW, monotonic))
      sent.push(...taken);
  };
  takeAll(0);
  t.same({ sent: sent.length, waiting: flights.waiting }, { sent: 8000, waiting: 0 });
  for (const flight of sent.splice(0, 499)) occurrences.settle(flight, Outcome.confirmed, NOW, 1000);
  takeAll(1000);
  t.equal(sent.length, 7501, 'there is no room for a batch yet');
  for (const flight of sent.splice(0, 1)) occurrences.settle(flight, Outcome.confirmed, NOW, 1000);
  takeAll(1000);
  t.equal(sent.length, 8000);

  const slot = occurrences.arena.add(intervalRow(20_001, 60_000, NOW));
  queue.set(slot, NOW);
  while (queue.firstTime <= NOW) takeAll(1500);
  t.equal(sent.length, 8001, 'one of another route does not wait for them');
  t.equal(flights.waiting, 11_500);
});

t.test('what is due is held back once nothing is confirmed any more', async (t) => {
  const { occurrences, due } = setUp(10_000, () => 'dead');
  for (let taken = due.take(NOW, 0); taken.length > 0; ) taken = due.take(NOW, 0);
  t.equal(occurrences.flights.waiting, 0);
  due.take(NOW, 1001);
  t.equal(occurrences.flights.waiting, 2000);
});
