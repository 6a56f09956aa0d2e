import t from 'tap';
import { DalgaError } from '../../../src/errors.ts';
import { nameJob } from '../../../src/job/named-job.ts';
import type { WriteRequest } from '../../../src/main-thread/store/batch-plan.ts';
import { RequestQueue, type Waiting } from '../../../src/main-thread/store/request-queue.ts';
import { ManualTime } from '../../helpers/manual-time.ts';

function remove(job: string): WriteRequest {
  return { op: 'delete', named: nameJob({ routingKey: 'a', job }) };
}

function setUp() {
  const time = new ManualTime(0);
  const queue = new RequestQueue(time, time);
  const names = (batch: readonly Waiting[]) =>
    batch.map(({ request }) => Buffer.from(request.op === 'end' ? [] : request.named.job).toString());
  return { time, queue, take: () => names(queue.take()) };
}

t.test('single requests go before a bulk load, which has its turn after each batch of them', async (t) => {
  const { queue, take } = setUp();
  void queue.addBulk([remove('bulk-1'), remove('bulk-2')]);
  void queue.addBulk([remove('bulk-3')]);
  void queue.add(remove('one'));
  t.same(take(), ['one']);
  void queue.add(remove('two'));
  t.same(take(), ['bulk-1', 'bulk-2']);
  t.same(take(), ['two']);
  t.same(take(), ['bulk-3']);
  t.equal(queue.size, 0);
});

t.test('a bulk load is told what became of each of its requests, once all are', async (t) => {
  const { queue } = setUp();
  const outcomes = queue.addBulk([remove('1'), remove('2')]);
  const [first, second] = queue.take() as [Waiting, Waiting];
  const fault = new DalgaError('internal', 'no');
  second.reject(fault);
  second.resolve({ answer: { result: 'absent' }, number: 9 });
  first.resolve({ answer: { result: 'deleted' }, number: 1 });
  t.same(await outcomes, [{ answer: { result: 'deleted' }, number: 1 }, fault]);
  t.same(await queue.addBulk([]), []);
});

t.test('a bulk load waits longer for MySQL than single requests, and not for ever', async (t) => {
  const { time, queue } = setUp();
  const single = queue.add(remove('single')).catch((error: DalgaError) => error);
  const outcomes = queue.addBulk([remove('bulk')]);
  await time.advance(2000);
  t.match(await single, { code: 'database_unavailable' });
  t.equal(queue.size, 1);
  await time.advance(8000);
  t.match(await outcomes, [{ code: 'database_unavailable' }]);
  t.equal(queue.size, 0);
});

t.test('a single request is told in time, whatever waits already', async (t) => {
  const { time, queue } = setUp();
  const outcomes = queue.addBulk([remove('bulk')]);
  await time.advance(1000);
  let told = false;
  queue.add(remove('single')).catch(() => {
    told = true;
  });
  await time.advance(1999);
  t.notOk(told);
  await time.advance(1);
  t.ok(told);
  await time.advance(6999);
  t.equal(queue.size, 1);
  await time.advance(1);
  t.match(await outcomes, [{ code: 'database_unavailable' }]);
});

t.test('halves of a bulk load go behind single requests and have the time of a bulk load', async (t) => {
  const { time, queue, take } = setUp();
  void queue.addBulk([remove('1'), remove('2'), remove('3')]);
  queue.split(queue.take());
  void queue.add(remove('single'));
  t.same([take(), take(), take()], [['single'], ['1', '2'], ['3']]);
  t.equal(queue.size, 0);

  const others = queue.addBulk([remove('4'), remove('5')]);
  queue.split(queue.take());
  await time.advance(9999);
  t.equal(queue.size, 2);
  await time.advance(1);
  t.match(await others, [{ code: 'database_unavailable' }, { code: 'database_unavailable' }]);
});

t.test('of a part that is only partly old, the old are refused', async (t) => {
  const { time, queue, take } = setUp();
  const old = queue.add(remove('old')).catch((error: DalgaError) => error);
  await time.advance(1500);
  void queue.add(remove('young'));
  void queue.add(remove('younger'));
  queue.split(queue.take());
  await time.advance(500);
  t.match(await old, { code: 'database_unavailable' });
  t.same([take(), take()], [['young'], ['younger']]);
});

t.test('a batch that MySQL did not take in time is put back, and single requests are refused', async (t) => {
  const { time, queue, take } = setUp();
  const away = new DalgaError('database_unavailable', 'away');
  const many = Array.from({ length: 600 }, (_, index) => remove(`${index}`));
  void queue.addBulk(many);
  void queue.addBulk([remove('later')]);
  const batch = queue.take();
  queue.learn(2000, false);
  queue.putBack(batch, away);
  const taken = [take(), take(), take()];
  t.same(
    taken.map(({ length }) => length),
    [500, 100, 1],
  );
  t.equal(taken[0]?.[0], '0');
  t.equal(taken[2]?.[0], 'later');

  const small = queue.addBulk([remove('1')]);
  queue.putBack(queue.take(), away);
  t.equal(queue.size, 1, 'MySQL may be back before its time is over');
  const last = queue.take();
  await time.advance(10_000);
  queue.putBack(last, away);
  t.same(await small, [away]);
  const single = queue.add(remove('single')).catch((error: DalgaError) => error);
  queue.putBack(queue.take(), away);
  t.equal(await single, away);
  t.equal(queue.size, 0);
});

t.test('a bulk load that was put back too often is told why', async (t) => {
  const { time, queue } = setUp();
  const away = new DalgaError('database_unavailable', 'away');
  const outcomes = queue.addBulk(Array.from({ length: 600 }, (_, index) => remove(`${index}`)));
  const batch = queue.take();
  queue.learn(2000, false);
  queue.putBack(batch, away);
  await time.advance(10_000);
  t.same(new Set(await outcomes), new Set([away]));
});

t.test('batches that were too long are smaller from then on, whether or not they were stored', (t) => {
  for (const committed of [true, false]) {
    const { queue } = setUp();
    const size = () => {
      void queue.addBulk(Array.from({ length: 2_000 }, (_, index) => remove(`${index}`)));
      const { length } = queue.take();
      queue.refuseAll(new DalgaError('internal', 'no'));
      return length;
    };
    const largest = size();
    queue.learn(201, committed);
    t.equal(size(), largest / 2);
    queue.learn(1, false);
    t.equal(size(), largest / 2, 'a quick failure tells nothing');
    queue.learn(1, true);
    t.ok(size() > largest / 2);
  }
  t.end();
});
