import t from 'tap';
import { monotonicNow } from '../../src/clock.ts';
import { Outcome } from '../../src/protocol/scheduler-publisher.ts';
import { startProxy } from '../helpers/proxy.ts';
import { testRabbitmq } from '../helpers/servers.ts';
import { configOf, connectedPublisher, makeBatch, numbered, outcomesOf } from './harness.ts';

const rabbit = await testRabbitmq({ ownVhost: true });
t.teardown(rabbit.close);

t.test('what was unconfirmed when the operator closes the connection is lost, then it goes on', async (t) => {
  const proxy = await startProxy(rabbit);
  t.teardown(() => proxy.close());
  const publisher = await connectedPublisher(configOf(rabbit, { port: proxy.port }), t.teardown);
  const queue = rabbit.name();
  // Not consumed: the operator is about to close all connections of this vhost.
  const declaring = await rabbit.connect();
  await (await declaring.createChannel()).assertQueue(queue, { durable: true });
  await declaring.close();
  await publisher.publish(makeBatch([{ routingKey: queue }]));
  // The broker's words wait in the proxy: first the confirms, then the close. Held further up, no confirm comes.
  proxy.holdClient(true);
  const batch = makeBatch(numbered(3, { routingKey: queue }));
  const answer = await publisher.publish(batch);
  t.strictSame([...answer.outcomes], [Outcome.pending, Outcome.pending, Outcome.pending]);
  await rabbit.ctl('close_all_connections', '-p', rabbit.vhost, 'a test');
  const down = await publisher.reports.next('connection.changed', ({ connected }) => !connected);
  t.match(down, { blocked: false, reason: /closed the connection: CONNECTION_FORCED - a test/ });
  const late = await publisher.reports.late(batch.number, 3);
  t.strictSame([...late.values()], [Outcome.lost, Outcome.lost, Outcome.lost]);
  proxy.holdClient(false);
  await publisher.reports.next('connection.changed', ({ connected }) => connected);
  const again = await outcomesOf(publisher, makeBatch([{ routingKey: queue }]));
  t.strictSame(again, [Outcome.confirmed]);
});

t.test('a connection that breaks off without a word', async (t) => {
  const proxy = await startProxy(rabbit);
  t.teardown(() => proxy.close());
  const publisher = await connectedPublisher(configOf(rabbit, { port: proxy.port }), t.teardown);
  const queue = rabbit.name();
  await rabbit.consume(queue);
  await publisher.publish(makeBatch([{ routingKey: queue }]));
  proxy.holdServer(true);
  const batch = makeBatch([{ routingKey: queue }]);
  t.strictSame([...(await publisher.publish(batch)).outcomes], [Outcome.pending]);
  proxy.holdServer(false);
  proxy.cut();
  await publisher.reports.next('connection.changed', ({ connected }) => !connected);
  await publisher.reports.next('connection.changed', ({ connected }) => connected);
  t.strictSame(await outcomesOf(publisher, makeBatch([{ routingKey: queue }])), [Outcome.confirmed]);
});

t.test('without a connection a batch is unsent', async (t) => {
  const proxy = await startProxy(rabbit);
  const publisher = await connectedPublisher(configOf(rabbit, { port: proxy.port }), t.teardown);
  await proxy.close();
  await publisher.reports.next('connection.changed', ({ connected }) => !connected);
  const answer = await publisher.publish(makeBatch(numbered(2, { routingKey: 'q' })));
  t.strictSame([...answer.outcomes], [Outcome.unsent, Outcome.unsent]);
});

t.test('a missing exchange disturbs no other, and is used once it is there', async (t) => {
  const publisher = await connectedPublisher(configOf(rabbit), t.teardown);
  const queue = rabbit.name();
  const exchange = rabbit.name('exchange');
  await rabbit.consume(queue);
  const mixed = await outcomesOf(
    publisher,
    makeBatch([{ routingKey: queue }, { exchange, routingKey: queue }, { routingKey: queue }]),
  );
  t.strictSame(mixed, [Outcome.confirmed, Outcome.unsent, Outcome.confirmed]);
  const bad = await publisher.reports.next('exchange.changed');
  t.match(bad, { exchange, usable: false, reason: /NOT_FOUND - no exchange/ });
  const connection = await rabbit.connect();
  t.teardown(() => connection.close());
  const channel = await connection.createChannel();
  await channel.assertExchange(exchange, 'direct', { autoDelete: true });
  await channel.bindQueue(queue, exchange, queue);
  const good = await publisher.reports.next('exchange.changed');
  t.match(good, { exchange, usable: true, reason: null });
  const bound = await outcomesOf(publisher, makeBatch([{ exchange, routingKey: queue }]));
  t.strictSame(bound, [Outcome.confirmed]);

  // It goes away under an open channel.
  await channel.deleteExchange(exchange);
  const lost = await outcomesOf(publisher, makeBatch(numbered(3, { exchange, routingKey: queue })));
  t.strictSame(lost, [Outcome.lost, Outcome.lost, Outcome.lost]);
  t.match(await publisher.reports.next('exchange.changed'), { exchange, usable: false });
  const unsent = await outcomesOf(publisher, makeBatch([{ exchange, routingKey: queue }]));
  t.strictSame(unsent, [Outcome.unsent]);
  t.equal(publisher.reports.all.filter(({ type }) => type === 'connection.changed').length, 1);
});

t.test('what is said of an exchange is said again after a new connection', async (t) => {
  const proxy = await startProxy(rabbit);
  t.teardown(() => proxy.close());
  const publisher = await connectedPublisher(configOf(rabbit, { port: proxy.port }), t.teardown);
  const exchange = rabbit.name('exchange');
  const batch = () => makeBatch([{ exchange, routingKey: 'any' }]);
  t.strictSame(await outcomesOf(publisher, batch()), [Outcome.unsent]);
  await publisher.reports.next('exchange.changed', ({ usable }) => !usable);
  proxy.cut();
  await publisher.reports.next('connection.changed', ({ connected }) => !connected);
  await publisher.reports.next('connection.changed', ({ connected }) => connected);
  const last = publisher.reports.all.filter(({ type }) => type !== 'outcomes.settled').slice(-2);
  t.match(last, [{ type: 'exchange.changed', usable: false, reason: /NOT_FOUND/ }, { connected: true }]);
});

t.test('an exchange without permission is usable once there is one', async (t) => {
  const user = rabbit.name('user');
  await rabbit.ctl('add_user', user, 'secret');
  t.teardown(() => rabbit.ctl('delete_user', user));
  await rabbit.ctl('set_permissions', '-p', rabbit.vhost, user, '', '', '');
  const publisher = await connectedPublisher(configOf(rabbit, { user, password: 'secret' }), t.teardown);
  const queue = rabbit.name();
  await rabbit.consume(queue);
  const refused = await outcomesOf(publisher, makeBatch([{ routingKey: queue }]));
  t.strictSame(refused, [Outcome.lost]);
  t.match(await publisher.reports.next('exchange.changed'), { usable: false, reason: /ACCESS_REFUSED/ });
  await rabbit.ctl('set_permissions', '-p', rabbit.vhost, user, '', '.*', '');
  t.match(await publisher.reports.next('exchange.changed'), { usable: true });
  const taken = await outcomesOf(publisher, makeBatch([{ routingKey: queue }]));
  t.strictSame(taken, [Outcome.confirmed]);
});

t.test('of a batch with messages that close the channel only these are nacked', async (t) => {
  const publisher = await connectedPublisher(configOf(rabbit), t.teardown);
  const queue = rabbit.name();
  const consumer = await rabbit.consume(queue);
  const poison = new Set([0, 57, 58, 299]);
  const messages = numbered(300, { routingKey: queue }).map((message, index) => ({
    ...message,
    // No number, as a text: the broker closes the channel with 406.
    expiration: poison.has(index) ? Number.POSITIVE_INFINITY : 0,
  }));
  const outcomes = await outcomesOf(publisher, makeBatch(messages));
  // The channel may have closed before all was written.
  const written = [...outcomes.entries()].filter(([, outcome]) => outcome !== Outcome.unsent);
  t.ok(written.length >= 1);
  for (const [position, outcome] of written) {
    t.equal(outcome, poison.has(position) ? Outcome.nacked : Outcome.confirmed, `message ${position}`);
  }
  const other = await outcomesOf(publisher, makeBatch([{ routingKey: queue, id: 1000 }]));
  t.strictSame(other, [Outcome.confirmed]);

  // A known culprit goes alone, and its neighbours are not sent twice.
  const before = consumer.messages.filter(({ content }) => content.toString() === '500').length;
  const second = makeBatch([
    { routingKey: queue, id: 500 },
    { routingKey: queue, id: 1, expiration: Number.POSITIVE_INFINITY },
  ]);
  t.strictSame(await outcomesOf(publisher, second), [Outcome.confirmed, Outcome.nacked]);
  t.equal(before, 0);
  await publisher.publish(makeBatch([{ routingKey: queue, id: 501 }]));
  const last = async (): Promise<void> => {
    while ((await consumer.next()).content.toString() !== '501');
  };
  await last();
  t.equal(consumer.messages.filter(({ content }) => content.toString() === '500').length, 1);
});

t.test('a channel that closes while much of it waits for the socket takes no other with it', async (t) => {
  const publisher = await connectedPublisher(configOf(rabbit), t.teardown);
  const [queue, exchange] = [rabbit.name(), rabbit.name()];
  const declaring = await rabbit.connect();
  t.teardown(() => declaring.close());
  const channel = await declaring.createChannel();
  await channel.assertExchange(exchange, 'fanout');
  for (const name of [queue, exchange]) await channel.assertQueue(name);
  await channel.bindQueue(exchange, exchange, '');
  const messages = numbered(400, { routingKey: queue, body: 'x'.repeat(100_000) });
  messages[0]!.expiration = Number.POSITIVE_INFINITY;
  const large = outcomesOf(publisher, makeBatch(messages));
  const others = await outcomesOf(publisher, makeBatch(numbered(100, { exchange })));
  t.ok(others.every((outcome) => outcome === Outcome.confirmed));
  const [first, ...rest] = await large;
  t.equal(first, Outcome.nacked);
  t.ok(rest.every((outcome) => outcome === Outcome.confirmed || outcome === Outcome.unsent));
  const lost = publisher.reports.all.filter(
    (report) => report.type === 'connection.changed' && !report.connected,
  );
  t.strictSame(lost, [], 'the connection stands');
});

t.test('a trial that takes longer than the trust in its batch goes on with that in the next', async (t) => {
  const proxy = await startProxy(rabbit);
  t.teardown(() => proxy.close());
  const publisher = await connectedPublisher(configOf(rabbit, { port: proxy.port }), t.teardown);
  const queue = rabbit.name();
  await rabbit.consume(queue);
  t.strictSame(await outcomesOf(publisher, makeBatch([{ routingKey: queue }])), [Outcome.confirmed]);
  proxy.delay(200);
  const messages = numbered(8, { routingKey: queue });
  const poison = 5;
  messages[poison]!.expiration = Number.POSITIVE_INFINITY;
  // Each step of the trial takes several times the delay.
  const first = outcomesOf(publisher, makeBatch(messages, { trustedUntil: monotonicNow() + 800 }));
  const second = outcomesOf(publisher, makeBatch([{ routingKey: queue, id: 100 }]));
  const outcomes = await first;
  t.equal(outcomes[poison], Outcome.nacked);
  t.equal(outcomes.filter((outcome) => outcome === Outcome.confirmed).length, messages.length - 1);
  t.strictSame(await second, [Outcome.confirmed]);
});
