import t from 'tap';
import { PriorityQueue } from '../../src/scheduler-thread/priority-queue.ts';
import { seededRandom } from '../helpers/random.ts';

t.test('an empty queue', async (t) => {
  const queue = new PriorityQueue();
  t.equal(queue.firstTime, Number.POSITIVE_INFINITY);
  t.equal(queue.firstSlot, -1);
  t.equal(queue.timeOf(7), Number.POSITIVE_INFINITY);
  queue.remove(7);
  t.equal(queue.size, 0);
});

t.test('behaves as a sorted map under random insertions, changes, removals and takings', async (t) => {
  for (const seed of [1, 2, 3]) {
    const random = seededRandom(seed);
    const queue = new PriorityQueue();
    const model = new Map<number, number>();
    for (let step = 0; step < 30_000; step++) {
      const slot = Math.floor(random() * 700);
      const dice = random();
      if (dice < 0.6) {
        const time = Math.floor(random() * 1000);
        queue.set(slot, time);
        model.set(slot, time);
      } else if (dice < 0.8) {
        queue.remove(slot);
        model.delete(slot);
      } else if (queue.size > 0) {
        const first = queue.firstSlot;
        if (model.get(first) !== queue.firstTime) t.fail(`step ${step} of seed ${seed}: wrong time`);
        queue.remove(first);
        model.delete(first);
      }
      if (step % 100 === 0) {
        const least = Math.min(...model.values());
        if (queue.firstTime !== least) t.fail(`step ${step} of seed ${seed}: not the first`);
        if (queue.size !== model.size) t.fail(`step ${step} of seed ${seed}: wrong size`);
      }
    }
    const order: number[] = [];
    while (queue.size > 0) {
      order.push(queue.firstTime);
      queue.remove(queue.firstSlot);
    }
    t.same(
      order,
      [...model.values()].sort((a, b) => a - b),
      `seed ${seed} empties in order`,
    );
  }
});

t.test('grows over several chunks', async (t) => {
  const queue = new PriorityQueue();
  const count = 200_000;
  for (let slot = 0; slot < count; slot++) queue.set(slot, (slot * 7919) % count);
  let before = -1;
  for (let taken = 0; taken < count; taken++) {
    if (queue.firstTime < before) t.fail(`out of order at ${taken}`);
    before = queue.firstTime;
    queue.remove(queue.firstSlot);
  }
  t.equal(queue.size, 0);
});

t.test('the first ones, however many are queued, and nothing is changed', async (t) => {
  for (const size of [0, 1, 5, 1000]) {
    const queue = new PriorityQueue();
    for (let slot = 0; slot < size; slot++) queue.set(slot, (slot * 7919) % 500);
    const times = Array.from({ length: size }, (_, slot) => (slot * 7919) % 500).sort((a, b) => a - b);
    for (const count of [0, 1, 7, 999, 2000]) {
      const first = queue.first(count);
      t.same(
        first.map(({ time }) => time),
        times.slice(0, count),
        `${count} of ${size}`,
      );
      t.ok(first.every(({ slot, time }) => queue.timeOf(slot) === time));
      t.equal(new Set(first.map(({ slot }) => slot)).size, first.length, 'each once');
    }
    t.equal(queue.size, size);
  }
});
