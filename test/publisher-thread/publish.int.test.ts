import t from 'tap';
import { monotonicNow } from '../../src/clock.ts';
import { Outcome } from '../../src/protocol/scheduler-publisher.ts';
import { startProxy } from '../helpers/proxy.ts';
import { testRabbitmq } from '../helpers/servers.ts';
import { configOf, connectedPublisher, makeBatch, numbered, outcomesOf } from './harness.ts';

const rabbit = await testRabbitmq();
t.teardown(rabbit.close);

t.test('a message has exactly the properties of the contract', async (t) => {
  const publisher = await connectedPublisher(configOf(rabbit), t.teardown);
  const queue = rabbit.name();
  const consumer = await rabbit.consume(queue);
  const time = 1_415_743_900_123;
  const before = Date.now();
  const answer = await publisher.publish(
    makeBatch([
      { routingKey: queue, id: 35, time, expiration: 60_000, body: '1234' },
      { routingKey: queue, id: 2 ** 40, time: time + 1, missed: 40_000_000_000, body: 'café ☕' },
      { routingKey: queue, id: 3, time: 1000, expiration: 4_294_967_295, missed: 3, body: '' },
    ]),
  );
  for (const at of answer.writtenAt) t.ok(at >= before - 1 && at <= Date.now() + 1);
  const [first, second, third] = await consumer.take(3);
  t.equal(first!.fields.routingKey, queue);
  t.equal(first!.fields.exchange, '');
  t.equal(first!.content.toString(), '1234');
  const properties = Object.entries(first!.properties).filter(([, value]) => value !== undefined);
  t.strictSame(Object.fromEntries(properties), {
    headers: { 'x-dalga-scheduled-at': time },
    deliveryMode: 2,
    expiration: '60000',
    messageId: `k3x9.z.${time.toString(36)}`,
    timestamp: 1_415_743_900,
    appId: 'dalga',
  });
  t.equal(second!.content.toString(), 'café ☕');
  t.equal(second!.properties.messageId, `k3x9.${(2 ** 40).toString(36)}.${(time + 1).toString(36)}`);
  t.equal(second!.properties.expiration, undefined);
  t.strictSame(
    { ...second!.properties.headers },
    { 'x-dalga-scheduled-at': time + 1, 'x-dalga-missed': 40_000_000_000 },
  );
  t.equal(third!.content.length, 0);
  t.equal(third!.properties.expiration, '4294967295');
  t.strictSame({ ...third!.properties.headers }, { 'x-dalga-scheduled-at': 1000, 'x-dalga-missed': 3 });
});

t.test('many batches at a time, and a large message, are all confirmed', async (t) => {
  const publisher = await connectedPublisher(configOf(rabbit), t.teardown);
  const queue = rabbit.name();
  const consumer = await rabbit.consume(queue);
  const large = 'x'.repeat(200_000);
  const batches = Array.from({ length: 16 }, () => makeBatch(numbered(500, { routingKey: queue })));
  const outcomes = await Promise.all([
    ...batches.map((batch) => outcomesOf(publisher, batch)),
    outcomesOf(publisher, makeBatch([{ routingKey: queue, id: 0, body: large }])),
  ]);
  t.strictSame([...new Set(outcomes.flat())], [Outcome.confirmed]);
  t.equal(outcomes.flat().length, 16 * 500 + 1);
  const messages = await consumer.take(16 * 500 + 1, 30_000);
  t.ok(messages.some(({ content }) => content.toString() === large));
  const counts = new Map<string, number>();
  for (const { content } of messages) {
    counts.set(content.toString(), (counts.get(content.toString()) ?? 0) + 1);
  }
  t.equal(counts.size, 501);
});

t.test('what no queue is bound for is returned, and the rest of the batch confirmed', async (t) => {
  const publisher = await connectedPublisher(configOf(rabbit), t.teardown);
  const queue = rabbit.name();
  await rabbit.consume(queue);
  const nowhere = rabbit.name('nowhere');
  const messages = numbered(400, {}).map((message, index) => ({
    ...message,
    routingKey: index % 3 === 0 ? nowhere : queue,
  }));
  const outcomes = await outcomesOf(publisher, makeBatch([...messages, { ...messages[0]! }]));
  const expected = [...messages, messages[0]!].map(({ routingKey }) =>
    routingKey === nowhere ? Outcome.returned : Outcome.confirmed,
  );
  t.strictSame(outcomes, expected);
});

t.test('what a full queue rejects is nacked', async (t) => {
  const publisher = await connectedPublisher(configOf(rabbit), t.teardown);
  const queue = rabbit.name();
  const connection = await rabbit.connect();
  const channel = await connection.createChannel();
  await channel.assertQueue(queue, { exclusive: true, maxLength: 1, overflow: 'reject-publish' });
  t.teardown(() => connection.close());
  const first = await outcomesOf(publisher, makeBatch([{ routingKey: queue }]));
  t.strictSame(first, [Outcome.confirmed]);
  const second = await outcomesOf(publisher, makeBatch(numbered(2, { routingKey: queue })));
  t.strictSame(second, [Outcome.nacked, Outcome.nacked]);
});

t.test('what amqplib cannot encode is nacked alone', async (t) => {
  const publisher = await connectedPublisher(configOf(rabbit), t.teardown);
  const queue = rabbit.name();
  await rabbit.consume(queue);
  const batch = makeBatch([{ routingKey: queue }, { routingKey: 'x'.repeat(256) }, { routingKey: queue }]);
  t.strictSame(await outcomesOf(publisher, batch), [Outcome.confirmed, Outcome.nacked, Outcome.confirmed]);
});

t.test('nothing is written once the lease cannot be trusted', async (t) => {
  const publisher = await connectedPublisher(configOf(rabbit), t.teardown);
  const queue = rabbit.name();
  const consumer = await rabbit.consume(queue);
  const late = await publisher.publish(
    makeBatch(numbered(3, { routingKey: queue }), { trustedUntil: monotonicNow() - 1 }),
  );
  t.strictSame([...late.outcomes], [Outcome.unsent, Outcome.unsent, Outcome.unsent]);
  t.strictSame([...late.writtenAt], [0, 0, 0]);
  await publisher.publish(makeBatch([{ routingKey: queue, body: 'trusted' }]));
  const { content } = await consumer.next();
  t.equal(content.toString(), 'trusted');
});

t.test('what is not confirmed in time is pending, and its outcome follows', async (t) => {
  const proxy = await startProxy(rabbit);
  t.teardown(() => proxy.close());
  const publisher = await connectedPublisher(configOf(rabbit, { port: proxy.port }), t.teardown);
  const queue = rabbit.name();
  const consumer = await rabbit.consume(queue);
  await publisher.publish(makeBatch([{ routingKey: queue }]));
  proxy.holdServer(true);
  const batch = makeBatch([
    { routingKey: queue, id: 1 },
    { routingKey: rabbit.name('nowhere'), id: 2 },
  ]);
  const answer = await publisher.publish(batch);
  t.strictSame([...answer.outcomes], [Outcome.pending, Outcome.pending]);
  t.ok(answer.writtenAt.every((at) => at > 0));
  await consumer.take(2);
  proxy.holdServer(false);
  const late = await publisher.reports.late(batch.number, 2);
  t.strictSame([...late].sort(), [
    [0, Outcome.confirmed],
    [1, Outcome.returned],
  ]);
});
