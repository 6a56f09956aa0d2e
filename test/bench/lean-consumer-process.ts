import { type Channel, type ChannelModel, type ConsumeMessage, connect } from 'amqplib';
import { answerParent } from './child.ts';
import { Histogram } from './histogram.ts';
import type { ConsumerAnswer, ConsumerReport, ConsumerRequest } from './lean-consumer.ts';

/** Messages that one acknowledgement takes, and how long a shorter run of them waits for it, ms. */
const ACK_EVERY = 500;
const ACK_AFTER = 5;

const delay = new Histogram();
let connection: ChannelModel | null = null;
let channel: Channel | null = null;
let last: ConsumeMessage | null = null;
let unacknowledged = 0;
let firstAt: number | null = null;
let lastAt: number | null = null;
let timer: NodeJS.Timeout | null = null;

function note(message: ConsumeMessage | null): void {
  if (message === null) throw new Error('the queue was deleted');
  const now = Date.now();
  const scheduledAt = message.properties.headers?.['x-dalga-scheduled-at'] as number;
  delay.add(now - scheduledAt);
  firstAt ??= now;
  lastAt = now;
  last = message;
  unacknowledged += 1;
  if (unacknowledged >= ACK_EVERY) acknowledge();
  else timer ??= setTimeout(acknowledge, ACK_AFTER);
}

function acknowledge(): void {
  if (timer !== null) clearTimeout(timer);
  timer = null;
  if (last !== null) channel?.ack(last, true);
  last = null;
  unacknowledged = 0;
}

function report(): ConsumerReport {
  return { received: delay.count, firstAt, lastAt, delay: delay.data() };
}

answerParent(async (request: ConsumerRequest): Promise<ConsumerAnswer> => {
  switch (request.type) {
    case 'start': {
      const { host, port, user, password, vhost } = request.rabbitmq;
      const login = { protocol: 'amqp', hostname: host, port, username: user, password };
      connection = await connect({ ...login, vhost: encodeURIComponent(vhost) }, { noDelay: true });
      channel = await connection.createChannel();
      await channel.assertQueue(request.queue, { durable: true });
      await channel.prefetch(request.prefetch);
      await channel.consume(request.queue, note, { noAck: false });
      return null;
    }
    case 'report':
      return report();
    case 'reset': {
      const before = report();
      delay.clear();
      firstAt = null;
      lastAt = null;
      return before;
    }
    case 'close':
      acknowledge();
      await connection?.close();
      return null;
  }
});
