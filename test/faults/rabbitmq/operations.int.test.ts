import type { Channel } from 'amqplib';
import t from 'tap';
import type { Received } from '../../helpers/consumer.ts';
import { RestartableRabbitmq } from '../../helpers/restartable-rabbitmq.ts';
import { World } from './world.ts';

const EXCHANGE = 'feeds';

/** What an operator does to a broker that goes on running, one after another to the same Dalga. */
t.test('connections closed, a memory alarm, queues and exchanges', { timeout: 300_000 }, async (t) => {
  const broker = await RestartableRabbitmq.start(t);
  const bind = (channel: Channel, queue: string) => channel.bindQueue(queue, EXCHANGE, queue);
  const declareExchange = (channel: Channel) => channel.assertExchange(EXCHANGE, 'direct', { durable: true });
  /** On a connection of its own, since operators close them. */
  const operate = async (act: (channel: Channel) => Promise<unknown>): Promise<void> => {
    const connection = await broker.connect();
    await act(await connection.createChannel());
    await connection.close();
  };
  const collect = async (queue: string, onMessage: (message: Received) => void): Promise<void> => {
    const connection = await broker.connect();
    t.teardown(() => connection.close());
    const channel = await connection.createChannel();
    const note = (message: Parameters<Parameters<Channel['consume']>[1]>[0]): void => {
      if (message !== null) onMessage({ ...message, receivedAt: Date.now() });
    };
    await channel.consume(queue, note, { noAck: true });
  };
  await operate(declareExchange);
  const world = await World.start(t, {
    rabbitmq: broker.login,
    connect: () => broker.connect(),
    queue: 'feeds',
    declare: async (channel) => {
      await declareExchange(channel);
      await bind(channel, 'feeds');
    },
    env: { DALGA_RABBITMQ_EXCHANGE: EXCHANGE },
  });
  await world.consumer.drained();
  await world.says(/^connected to RabbitMQ/);
  await world.schedule({ count: 20, interval: 2, in: 500, spacing: 100 });
  /** Those that run in the next seconds, and none of which may be lost. */
  const scheduleSome = () => world.schedule({ count: 300, interval: 3600, in: 500, spacing: 20 });
  await world.more(20);
  world.told();

  const step = async (what: string, act: () => Promise<void>): Promise<void> => {
    t.comment(what);
    await act();
  };

  await step('an operator closes all connections', async () => {
    await scheduleSome();
    await world.fault(async () => {
      await broker.ctl('close_all_connections', 'maintenance');
      await world.says(/^connected to RabbitMQ/);
      await world.settled();
    });
    t.match(world.told(), [
      /^not connected to RabbitMQ: .*CONNECTION_FORCED - maintenance/,
      'connected to RabbitMQ',
    ]);
  });

  await step('a memory alarm', async () => {
    const reconnects = (await world.metrics('now', () => true)).samples.get(
      'dalga_reconnects_total{server="rabbitmq"}',
    );
    await world.fault(async () => {
      await broker.ctl('set_vm_memory_high_watermark', '0');
      await world.says(/takes no messages now/);
      await scheduleSome();
      t.match(await (await fetch(`${world.url}/readyz`)).json(), { reasons: { rabbitmq: /low on memory/ } });
      await world.metrics('runs are due', (read) => read('jobs_due') + read('occurrences_held_back') > 50);
      await broker.ctl('set_vm_memory_high_watermark', '0.8');
      await world.says(/^RabbitMQ takes messages again/);
      await world.settled();
    });
    t.match(world.told(), [
      /^RabbitMQ at .* takes no messages now: low on memory$/,
      'RabbitMQ takes messages again',
    ]);
    const { samples } = await world.metrics('now', () => true);
    t.equal(samples.get('dalga_reconnects_total{server="rabbitmq"}'), reconnects, 'the connection stood');
  });

  await step('a queue is deleted, and declared again', async () => {
    const returnedNow = async () =>
      (await world.metrics('now', () => true)).samples.get('dalga_occurrences_returned_total')!;
    const before = await returnedNow();
    await operate(async (channel) => {
      await channel.assertQueue('gone', { durable: true });
      await bind(channel, 'gone');
    });
    const come = new Set<string>();
    const note = (message: { readonly content: Buffer }) => come.add(message.content.toString());
    await collect('gone', note);
    const plan = { interval: 3600, spacing: 10, routingKey: 'gone', oracle: null };
    await world.schedule({ ...plan, count: 50, in: 3000 });
    await world.until('some come', () => come.size > 20);
    await operate((channel) => channel.deleteQueue('gone'));
    await world.schedule({ ...plan, count: 50, in: 3000 });
    await world.metrics('some are returned', (read) => read('occurrences_returned_total') > before + 20);
    await operate(async (channel) => {
      await channel.assertQueue('gone', { durable: true });
      await bind(channel, 'gone');
    });
    await collect('gone', note);
    const last = await world.schedule({ ...plan, count: 10, in: 3000 });
    await world.until('the last ones come', () => last.every((job) => come.has(job)));
    await world.settled();
    const returned = (await returnedNow()) - before;
    // A queue that is deleted takes along what lies in it.
    t.ok(
      come.size + returned <= 110 && come.size + returned > 90,
      `${come.size} came, ${returned} were returned`,
    );
    const told = world.told();
    t.ok(told.length >= 1 && told.length <= 12, 'some are told of', { told });
    t.match(
      told[0],
      /^returned as unroutable: .*routing key "gone" from exchange "feeds" \(job "job-\d+", message \w{4}\.\w+\.\w+\)$/,
    );
  });

  await step('the exchange is deleted, and declared again', async () => {
    await world.fault(async () => {
      await operate((channel) => channel.deleteExchange(EXCHANGE));
      await world.says(/cannot be published to/);
      await scheduleSome();
      await world.metrics('runs wait', (read) => read('occurrences_held_back') > 50);
      // In one go: what is published between the two would be returned.
      await operate((channel) => Promise.all([declareExchange(channel), bind(channel, 'feeds')]));
      await world.says(/can be published to again/);
      await world.settled();
    });
    t.match(world.told(), [
      "exchange \"feeds\" cannot be published to: NOT_FOUND - no exchange 'feeds' in vhost '/'",
      'exchange "feeds" can be published to again',
    ]);
  });

  await step('a queue is full, and refuses', async () => {
    await operate(async (channel) => {
      await channel.assertQueue('full', {
        durable: true,
        maxLength: 1,
        // What expires there goes where the consumer of the others sees it.
        deadLetterExchange: '',
        deadLetterRoutingKey: 'feeds.expired',
        arguments: { 'x-overflow': 'reject-publish' },
      });
      await bind(channel, 'full');
    });
    await world.fault(async () => {
      await world.schedule({ count: 40, interval: 3600, in: 3000, spacing: 10, routingKey: 'full' });
      await world.schedule({ count: 1, interval: 3, in: 500, spacing: 1, routingKey: 'full' });
      await world.says(/^RabbitMQ refuses messages/);
      await world.metrics('all but a few wait', (read) => read('occurrences_held_back') >= 35);
      await collect('full', (message) => world.note(message));
      await world.says(/^RabbitMQ takes messages/);
      await world.settled();
    });
    t.match(world.told(), [
      'RabbitMQ refuses messages with routing key "full" to exchange "feeds": they are tried again',
      'RabbitMQ takes messages with routing key "full" to exchange "feeds" again',
    ]);
  });

  const { metrics } = await world.judge();
  t.ok(metrics.samples.get('dalga_messages_nacked_total')! > 0);
  t.equal(metrics.samples.get('dalga_reconnects_total{server="rabbitmq"}'), 1);
});
