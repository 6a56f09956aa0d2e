import type { Channel } from 'amqplib';
import t from 'tap';
import { RestartableRabbitmq } from '../../helpers/restartable-rabbitmq.ts';
import { World } from './world.ts';

const EXCHANGE = 'topics';
/** How long the broker may take to confirm on a busy machine, ms. */
const UNCONFIRMED = 15_000;
/** Messages a second. */
const RATE = 3000;

/**
 * The API refuses what a broker would never take. What is left are rights: RabbitMQ closes the channel for a routing
 * key that a topic permission forbids, and an operator can set that at any time.
 */
t.test('messages that close channels, among 3,000 a second', { timeout: 300_000 }, async (t) => {
  const broker = await RestartableRabbitmq.start(t);
  const connection = await broker.connect();
  t.teardown(() => connection.close());
  const channel = await connection.createChannel();
  await channel.assertExchange(EXCHANGE, 'topic', { durable: true });
  const { user } = broker.login;
  await broker.ctl('set_topic_permissions', '-p', '/', user, EXCHANGE, '^good$', '.*');
  const world = await World.start(t, {
    rabbitmq: broker.login,
    connect: () => broker.connect(),
    queue: 'good',
    env: { DALGA_RABBITMQ_EXCHANGE: EXCHANGE },
    declare: async (its: Channel) => {
      for (const key of ['good', 'poison.*']) await its.bindQueue('good', EXCHANGE, key);
    },
  });
  await world.consumer.drained();
  await world.says(/^connected to RabbitMQ/);
  // A busy machine may not keep up with the rate, and this is not about that.
  world.oracle.trouble({ from: Date.now(), to: Number.POSITIVE_INFINITY });
  const others = await world.schedule({ count: RATE, interval: 1, in: 4000, spacing: 1000 / RATE });
  await world.more(2 * RATE);

  // Until both are known, a channel that one of them closes has others' messages on it.
  const from = Date.now();
  const poison = { count: 1, interval: 1, in: 1000, spacing: 1 };
  for (const key of ['poison.1', 'poison.2']) await world.schedule({ ...poison, routingKey: key });
  // None of these may be lost, while the runs of the others supersede one another each second.
  await world.schedule({ count: 500, interval: 3600, in: 1000, spacing: 10 });
  for (const key of ['poison.1', 'poison.2']) {
    await world.says(new RegExp(`^RabbitMQ refuses messages with routing key "${key}"`));
  }
  const known = await world.metrics('now', () => true);
  const alone = await world.metrics(
    'tried alone',
    (read) => read('messages_nacked_total') > nacked(known) + 3,
  );
  // What had been on a channel with them was tried before.
  world.oracle.mayRepeat({ from: from - UNCONFIRMED, to: Date.now() });
  const begun = performance.now();
  await world.more(3 * RATE);
  const took = performance.now() - begun;
  const later = await world.metrics('tried again', (read) => read('messages_nacked_total') > nacked(alone));
  t.ok(nacked(later) - nacked(alone) <= 4 + took / 250, 'they are tried again, but not in a loop');
  t.ok(later.samples.get('dalga_watermark_age_seconds')! < 5, 'the watermark goes on');
  const told = world.told();
  t.equal(new Set(told).size, told.length, 'and each is told once', { told });

  await broker.ctl('clear_topic_permissions', '-p', '/', user);
  for (const key of ['poison.1', 'poison.2']) {
    await world.says(new RegExp(`^RabbitMQ takes messages with routing key "${key}"`));
  }
  // The rest has a quiet moment to come.
  await world.cancel(others);
  const { metrics } = await world.judge({ sentAgain: true });
  t.equal(metrics.samples.get('dalga_reconnects_total{server="rabbitmq"}'), 0, 'the connection stood');
});

function nacked({ samples }: { samples: ReadonlyMap<string, number> }): number {
  return samples.get('dalga_messages_nacked_total')!;
}
