import type { Channel } from 'amqplib';
import t, { type Test } from 'tap';
import type { Unroutable } from '../../src/config.ts';
import { Outcome } from '../../src/protocol/scheduler-publisher.ts';
import { startProxy } from '../helpers/proxy.ts';
import { testRabbitmq } from '../helpers/servers.ts';
import { configOf, connectedPublisher, makeBatch, numbered, outcomesOf } from './harness.ts';

const rabbit = await testRabbitmq();
t.teardown(rabbit.close);

const { confirmed, returned, rerouted, lost, pending } = Outcome;

async function openChannel(t: Test): Promise<Channel> {
  const connection = await rabbit.connect();
  t.teardown(() => connection.close());
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  return channel;
}

function publisherTo(t: Test, unroutable: Unroutable, port = rabbit.port) {
  return connectedPublisher(configOf(rabbit, { unroutable, port }), t.teardown);
}

t.test('what no queue takes goes to the alternate queue as it is', async (t) => {
  const alternate = rabbit.name('alternate');
  const queue = rabbit.name();
  const nowhere = rabbit.name('nowhere');
  const [others, consumer] = await Promise.all([rabbit.consume(queue), rabbit.consume(alternate)]);
  const publisher = await publisherTo(t, { kind: 'queue', name: alternate });
  const options = [{ contentType: 'text/plain', headers: { source: 'feeds' }, priority: 3 }];
  const time = 1_415_743_900_123;
  const batch = makeBatch(
    [
      { routingKey: queue, id: 1 },
      { routingKey: nowhere, id: 2, time, expiration: 60_000, missed: 7, body: 'café' },
      { routingKey: queue, id: 3 },
      { exchange: 'amq.direct', routingKey: nowhere, id: 4, time },
    ],
    { options, optionsOf: Uint32Array.of(0, 1, 0, 0) },
  );
  t.same(await outcomesOf(publisher, batch), [confirmed, rerouted, confirmed, rerouted]);
  await others.take(2);
  const got = await consumer.take(2);
  const message = got.find(({ content }) => content.toString() === 'café')!;
  t.equal(message.fields.routingKey, alternate);
  const properties = Object.entries(message.properties).filter(([, value]) => value !== undefined);
  t.strictSame(Object.fromEntries(properties), {
    ...{ contentType: 'text/plain', priority: 3, deliveryMode: 2, appId: 'dalga', expiration: '60000' },
    ...{ messageId: `k3x9.2.${time.toString(36)}`, timestamp: 1_415_743_900 },
    headers: {
      ...{ source: 'feeds', 'x-dalga-scheduled-at': time, 'x-dalga-missed': 7 },
      ...{ 'x-dalga-unroutable-exchange': '', 'x-dalga-unroutable-routing-key': nowhere },
    },
  });
  const other = got.find(({ content }) => content.toString() === '4')!;
  t.match(other.properties.headers, { 'x-dalga-unroutable-exchange': 'amq.direct' });
  t.equal(others.messages.length, 2);
});

t.test('the alternate exchange gets them with their own routing keys', async (t) => {
  const channel = await openChannel(t);
  const alternate = rabbit.name('alternate');
  const queue = rabbit.name();
  const consumer = await rabbit.consume(queue);
  await channel.assertExchange(alternate, 'topic', { autoDelete: true });
  await channel.bindQueue(queue, alternate, 'lost.#');
  const publisher = await publisherTo(t, { kind: 'exchange', name: alternate });
  const key = rabbit.name('lost.');
  const batch = makeBatch([...numbered(500, { routingKey: key }), { routingKey: 'found.nowhere', id: 501 }]);
  const outcomes = await outcomesOf(publisher, batch);
  t.same(new Set(outcomes.slice(0, 500)), new Set([rerouted]));
  t.equal(outcomes[500], returned, 'what the alternate returns too is settled, and does not go round');
  const messages = await consumer.take(500);
  t.equal(new Set(messages.map(({ content }) => content.toString())).size, 500, 'each once');
  t.ok(messages.every(({ fields }) => fields.routingKey === key));
});

t.test('an alternate queue that is gone, full, or back again', async (t) => {
  const channel = await openChannel(t);
  const alternate = rabbit.name('alternate');
  const options = { durable: true, maxLength: 1, overflow: 'reject-publish' as const };
  await channel.assertQueue(alternate, options);
  t.teardown(() => channel.deleteQueue(alternate));
  const publisher = await publisherTo(t, { kind: 'queue', name: alternate });
  const send = () => outcomesOf(publisher, makeBatch([{ routingKey: rabbit.name('nowhere') }]));
  t.same(await send(), [rerouted]);
  t.same(await send(), [returned], 'it refuses: it is full');
  await channel.deleteQueue(alternate);
  t.same(await send(), [returned]);
  await channel.assertQueue(alternate, options);
  t.same(await send(), [rerouted]);
});

t.test('an alternate exchange that is gone harms no other, and is used again once it is back', async (t) => {
  const channel = await openChannel(t);
  const alternate = rabbit.name('alternate');
  const queue = rabbit.name();
  const consumer = await rabbit.consume(queue);
  const declare = async () => {
    await channel.assertExchange(alternate, 'fanout', { autoDelete: false });
    await channel.bindQueue(queue, alternate, '');
  };
  await declare();
  t.teardown(() => channel.deleteExchange(alternate));
  const publisher = await publisherTo(t, { kind: 'exchange', name: alternate });
  const keys = () => [queue, rabbit.name('nowhere'), queue];
  const mixed = () => keys().map((routingKey, at) => ({ routingKey, id: at + 1 }));
  t.same(await outcomesOf(publisher, makeBatch(mixed())), [confirmed, rerouted, confirmed]);
  await channel.deleteExchange(alternate);
  const [first, unknown, last] = await outcomesOf(publisher, makeBatch(mixed()));
  t.same([first, last], [confirmed, confirmed]);
  t.ok(unknown === lost || unknown === returned, 'its channel has just closed: it is sent again, or counted');
  const bad = await publisher.reports.next('exchange.changed');
  t.match(bad, { exchange: alternate, usable: false, reason: /NOT_FOUND/ });
  t.same(await outcomesOf(publisher, makeBatch(mixed())), [confirmed, returned, confirmed]);
  await declare();
  await publisher.reports.next('exchange.changed', ({ usable }) => usable);
  t.same(await outcomesOf(publisher, makeBatch(mixed())), [confirmed, rerouted, confirmed]);
  await consumer.take(8);
});

t.test('one that is not there at first is told of before it is needed', async (t) => {
  const alternate = rabbit.name('alternate');
  const publisher = await publisherTo(t, { kind: 'exchange', name: alternate });
  t.match(await publisher.reports.next('exchange.changed'), { exchange: alternate, usable: false });
  t.same(await outcomesOf(publisher, makeBatch([{ routingKey: rabbit.name('nowhere') }])), [returned]);
});

t.test('until the alternate has confirmed it a message is unsettled', async (t) => {
  const proxy = await startProxy(rabbit);
  t.teardown(() => proxy.close());
  const alternate = rabbit.name('alternate');
  const queue = rabbit.name();
  await rabbit.consume(queue);
  const consumer = await rabbit.consume(alternate);
  /** Stops the process of the queue: what is routed to it is not confirmed. */
  const suspend = (silent: boolean) =>
    rabbit.ctl(
      'eval',
      `{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"${rabbit.vhost}">>, queue, <<"${alternate}">>)),
       sys:${silent ? 'suspend' : 'resume'}(amqqueue:get_pid(Q)).`,
    );
  const publisher = await publisherTo(t, { kind: 'queue', name: alternate }, proxy.port);
  await suspend(true);
  const messages = () => [
    { routingKey: rabbit.name('nowhere'), id: 1 },
    { routingKey: queue, id: 2 },
  ];
  const batch = makeBatch(messages());
  t.same([...(await publisher.publish(batch)).outcomes], [pending, confirmed], 'others go on');
  await suspend(false);
  t.same([...(await publisher.reports.late(batch.number, 1))], [[0, rerouted]]);
  await consumer.take(1);

  await suspend(true);
  const cut = makeBatch(messages());
  t.same([...(await publisher.publish(cut)).outcomes], [pending, confirmed]);
  proxy.cut();
  t.same([...(await publisher.reports.late(cut.number, 1))], [[0, lost]], 'it is sent again');
  await suspend(false);
});

t.test('a message that closes the channel of the alternate harms no other', async (t) => {
  const channel = await openChannel(t);
  const alternate = rabbit.name('alternate');
  const queue = rabbit.name();
  const user = rabbit.name('user');
  const consumer = await rabbit.consume(queue);
  await channel.assertExchange(alternate, 'topic', { durable: false });
  await channel.bindQueue(queue, alternate, '#');
  await rabbit.ctl('add_user', user, 'secret');
  await rabbit.ctl('set_permissions', '-p', rabbit.vhost, user, '.*', '.*', '.*');
  await rabbit.ctl('set_topic_permissions', '-p', rabbit.vhost, user, alternate, '^allowed', '.*');
  t.teardown(async () => {
    await rabbit.ctl('delete_user', user);
    await channel.deleteExchange(alternate);
  });
  const unroutable = { kind: 'exchange', name: alternate } as const;
  const publisher = await connectedPublisher(
    configOf(rabbit, { unroutable, user, password: 'secret' }),
    t.teardown,
  );
  const keys = (name: string) => `${name}.${rabbit.name('nowhere')}`;
  for (let round = 0; round < 3; round++) {
    const messages = Array.from({ length: 50 }, (_, at) => ({
      routingKey: keys(at === 25 ? 'forbidden' : 'allowed'),
      id: at + 1,
      time: 1_700_000_000_000 + round,
    }));
    const outcomes = await outcomesOf(publisher, makeBatch(messages));
    t.equal(outcomes[25], returned, 'the culprit alone');
    t.same(new Set(outcomes.toSpliced(25, 1)), new Set([rerouted]));
  }
  const ids = new Set<string>();
  while (ids.size < 3 * 49) {
    const { properties } = await consumer.next();
    ids.add(String(properties.messageId));
  }
  t.pass('all the others are there');
});
