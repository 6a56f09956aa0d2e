import type { Channel } from 'amqplib';
import t from 'tap';
import type { Received } from '../../helpers/consumer.ts';
import { RestartableRabbitmq } from '../../helpers/restartable-rabbitmq.ts';
import { scheduledAt } from '../../helpers/service.ts';
import { Oracle } from '../../oracle/oracle.ts';
import { World } from './world.ts';

const EXCHANGE = 'routes';
/** s; with five jobs on each of the good routes these are 998 messages a second. */
const INTERVAL = 5;
const GOOD_ROUTES = 998;
/** Messages whose lateness is compared. */
const SAMPLE = 3000;
/**
 * A kill may repeat what was confirmed for so long before it, ms: 250 by the contract, more on a busy machine, and
 * far less than the bad routes were bad for.
 */
const CHECKPOINT_AGE = 3000;

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

t.test('one route is refused, another is never confirmed, and 998 go on', { timeout: 300_000 }, async (t) => {
  const broker = await RestartableRabbitmq.start(t);
  /** Stops the process of a queue: what is routed to it is neither refused nor confirmed. */
  const setSilent = (queue: string, silent: boolean) =>
    broker.ctl(
      'eval',
      `{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"${queue}">>)),
       sys:${silent ? 'suspend' : 'resume'}(amqqueue:get_pid(Q)).`,
    );
  const connection = await broker.connect();
  t.teardown(() => connection.close());
  const channel = await connection.createChannel();
  await channel.assertExchange(EXCHANGE, 'topic', { durable: true });
  // What expires unread is to be seen, too.
  await channel.assertQueue('expired', { durable: true });
  const settings = { durable: true, deadLetterExchange: '', deadLetterRoutingKey: 'expired' };
  await channel.assertQueue('full', {
    ...settings,
    maxLength: 1,
    arguments: { 'x-overflow': 'reject-publish' },
  });
  await channel.assertQueue('silent', settings);
  for (const queue of ['full', 'silent']) await channel.bindQueue(queue, EXCHANGE, `bad.${queue}`);

  const lateness: number[] = [];
  let onGood = (_job: string): void => {};
  const world: World = await World.start(t, {
    rabbitmq: broker.login,
    connect: () => broker.connect(),
    queue: 'good',
    env: { DALGA_RABBITMQ_EXCHANGE: EXCHANGE },
    declare: async (its: Channel) => {
      await its.bindQueue('good', EXCHANGE, 'good.*');
    },
    onMessage: (message: Received) => {
      lateness.push(message.receivedAt - scheduledAt(message));
      onGood(message.content.toString());
      world.note(message);
    },
  });
  // Punctuality is compared below, and not judged by itself.
  world.oracle.trouble({ from: 0, to: Number.POSITIVE_INFINITY });
  await world.consumer.drained();
  await world.says(/^connected to RabbitMQ/);
  const good = { interval: INTERVAL, count: GOOD_ROUTES * 5, in: 5000, spacing: 1000 / GOOD_ROUTES };
  await world.schedule({ ...good, routingKey: (index) => `good.${index % GOOD_ROUTES}` });
  await world.more(2 * SAMPLE);
  const before = median(lateness.slice(-SAMPLE));

  // Both are bad from their first message on, and more often due than any other.
  const bad = new Oracle({ lateAfter: 15_000, clockTolerance: 100, delivery: Number.POSITIVE_INFINITY });
  const beganAt = Date.now();
  await setSilent('silent', true);
  for (const routingKey of ['bad.silent', 'bad.full']) {
    await world.schedule({ interval: INTERVAL, count: 50, in: 500, spacing: 100, routingKey, oracle: bad });
  }
  await world.says(/^RabbitMQ refuses messages with routing key "bad.full"/);
  let oldest = 0;
  const come = world.messages.length;
  await world.metrics('the others have run for a while', (read) => {
    oldest = Math.max(oldest, read('watermark_age_seconds'));
    return world.messages.length >= come + 2 * SAMPLE;
  });
  const during = median(lateness.slice(-SAMPLE));
  t.comment(`the others' median lateness: ${before} ms before, ${during} ms beside the bad routes`);
  t.ok(during <= before * 5 + 100, 'the others are as punctual as before', { before, during });
  t.comment(`the watermark was at most ${oldest} s old`);
  t.ok(oldest < 5, 'the watermark goes on', { oldest });
  const { samples } = await world.metrics('both are held back', (read) => read('occurrences_held_back') > 50);
  const silent = samples.get('dalga_occurrences_in_flight')! + samples.get('dalga_occurrences_held_back')!;
  t.ok(silent <= 100 + SAMPLE, 'a job has one unsettled run at most');

  // None of these may be lost, whatever comes later.
  const strict = new Set(
    await world.schedule({ interval: 3600, count: 1000, in: 8000, spacing: 10, routingKey: 'good.1' }),
  );
  let some = 0;
  onGood = (job) => {
    if (strict.has(job)) some++;
  };
  await world.until('some of them', () => some >= 200);
  const killedAt = await world.killAndRestart(CHECKPOINT_AGE);
  await world.more(SAMPLE);
  t.ok(killedAt - beganAt > 2 * CHECKPOINT_AGE, 'the routes had been bad for much longer');

  // They heal.
  await setSilent('silent', false);
  const collect = (queue: string) =>
    channel.consume(
      queue,
      (message) => {
        if (message !== null) world.note({ ...message, receivedAt: Date.now() }, bad);
      },
      { noAck: true },
    );
  await Promise.all(['full', 'silent', 'expired'].map(collect));
  await world.says(/^RabbitMQ takes messages with routing key "bad.full"/);
  // A busy machine may take long to catch up after the start.
  await world.more(2 * SAMPLE);
  const { report } = await world.judge();
  t.comment(`the kill repeated ${report.counts.repeatedExcused} of the others`);

  const healedAt = Date.now();
  bad.trouble({ from: beganAt, to: healedAt });
  // What was written to the silent queue comes now, by both owners.
  bad.mayRepeat({ from: beganAt, to: healedAt });
  const badReport = bad.judge(healedAt);
  t.comment(badReport.toString());
  t.equal(badReport.count('lost'), 0, 'each run of the bad routes has come, or a later one of its job');
  t.ok(badReport.counts.matched > 0 && badReport.counts.superseded > 0);
});
