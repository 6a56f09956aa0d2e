import type { Channel, ChannelModel } from 'amqplib';
import { within } from './deadline.ts';

/** How long the broker may take to answer one method, ms. */
export const METHOD_DEADLINE = 5000;
const RESOURCE_LOCKED = 405;

/** Rejects with amqplib's error, its `code` 404, when there is no such exchange. Not for the default one, "". */
export function checkExchange(connection: ChannelModel, exchange: string): Promise<void> {
  return onThrowAwayChannel(connection, async (channel) => {
    await channel.checkExchange(exchange);
  });
}

/** The same of a queue. One that is exclusive to another connection is there, too. */
export function checkQueue(connection: ChannelModel, queue: string): Promise<void> {
  return onThrowAwayChannel(connection, async (channel) => {
    await channel.checkQueue(queue).catch((error: { code?: unknown }) => {
      if (error.code !== RESOURCE_LOCKED) throw error;
    });
  });
}

/**
 * Finds out whether this user may publish to the exchange now, without publishing anything: RabbitMQ looks at a
 * message's expiration only after it has found the exchange and checked the permission, so that a message with
 * an impossible one is refused with 406 exactly where a good one would be taken (rabbit_channel,
 * handle_method of basic.publish). The broker logs an error each time, as it does for the refusal that made
 * this necessary. Resolves with null, or with the error that a message would meet.
 */
export function probeExchange(connection: ChannelModel, exchange: string): Promise<Error | null> {
  return onThrowAwayChannel(connection, async (channel) => {
    const error = await new Promise<Error>((resolve) => {
      channel.on('error', resolve);
      channel.on('close', () => resolve(new Error('the connection was closed')));
      channel.publish(exchange, '', Buffer.alloc(0), { expiration: 'never' });
    });
    return (error as { code?: unknown }).code === 406 ? null : error;
  });
}

/**
 * 404: there is no such exchange; 403: no permission. A permission on a topic is a matter of one routing key, not
 * of the exchange, and is treated as a message that closes channels.
 */
export function isRefusal(error: unknown): error is Error {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return code === 404 || (code === 403 && !String(message).includes('access to topic'));
}

async function onThrowAwayChannel<T>(
  connection: ChannelModel,
  use: (channel: Channel) => Promise<T>,
): Promise<T> {
  const discard = (channel: Channel): void => {
    channel.on('error', () => {});
    channel.close().catch(() => {});
  };
  const channel = await within(METHOD_DEADLINE, 'opening a channel', connection.createChannel(), discard);
  channel.on('error', () => {});
  try {
    return await within(METHOD_DEADLINE, 'the check of an exchange', use(channel));
  } finally {
    try {
      channel.close().catch(() => {});
    } catch {
      // The broker has closed it.
    }
  }
}
