import t from 'tap';
import { DalgaError } from '../../../src/errors.ts';
import { hashJobKey, type JobKey } from '../../../src/job/job.ts';
import { nameJob, type WriteRequest } from '../../../src/main-thread/store/batch-plan.ts';
import { RequestQueue, type Waiting } from '../../../src/main-thread/store/request-queue.ts';
import { ManualTime } from '../../helpers/manual-time.ts';

function remove(job: string): WriteRequest {
  const key: JobKey = { routingKey: 'a', job };
  return { op: 'delete', named: nameJob(key, hashJobKey(key)) };
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
