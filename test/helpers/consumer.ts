import type { ChannelModel, ConsumeMessage } from 'amqplib';

/** A message and when it came (ms, the wall clock). */
export type Received = ConsumeMessage & { receivedAt: number };

export type Consumer = {
  queue: string;
  /** All that have come so far, those that next() and take() have given out too. */
  messages: readonly Received[];
  /** The next message that was not given out yet; rejects when none comes within `deadline` ms (10 s). */
  next(deadline?: number): Promise<Received>;
  /** The next `count` messages; rejects when they do not come within `deadline` ms (10 s). */
  take(count: number, deadline?: number): Promise<Received[]>;
  /** Deletes the queue and closes the connection. A second call does nothing. */
  close(): Promise<void>;
};

/** Declares the durable queue and consumes it, without acknowledgements, over a connection that it then owns. */
export async function startConsumer(connection: ChannelModel, queue: string): Promise<Consumer> {
  const messages: Received[] = [];
  let given = 0;
  let wake: (() => void) | undefined;
  // The end of the broker is something tests bring about: without a listener it would end the process.
  connection.on('error', () => {});
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  await channel.assertQueue(queue, { durable: true });
  await channel.consume(
    queue,
    (message) => {
      if (!message) return; // the queue was deleted
      messages.push({ ...message, receivedAt: Date.now() });
      wake?.();
    },
    { noAck: true },
  );

  const take = (count: number, deadline = 10_000): Promise<Received[]> =>
    new Promise((resolve, reject) => {
      if (wake) throw new Error(`another take() or next() on ${queue} is still waiting`);
      const end = (): void => {
        clearTimeout(timer);
        wake = undefined;
      };
      const timer = setTimeout(() => {
        end();
        const came = messages.length - given;
        reject(new Error(`${came} of ${count} messages came to ${queue} within ${deadline} ms`));
      }, deadline);
      wake = () => {
        if (messages.length - given < count) return;
        end();
        given += count;
        resolve(messages.slice(given - count, given));
      };
      wake();
    });

  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    // Both fail when a test has ended the broker or the channel; then there is nothing left to do.
    await channel.deleteQueue(queue).catch(() => {});
    await connection.close().catch(() => {});
  };
  return {
    queue,
    messages,
    take,
    next: async (deadline) => (await take(1, deadline))[0]!,
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}
