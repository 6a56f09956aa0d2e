import { setTimeout as delay } from 'node:timers/promises';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import type { Received } from './consumer.ts';

/** ms */
const RETRY = 50;

export type SteadyConsumerOptions = {
  readonly connect: () => Promise<ChannelModel>;
  readonly queue: string;
  /** Runs on each new connection before anything is consumed. */
  readonly declare?: (channel: Channel) => Promise<unknown>;
  readonly onMessage: (message: Received) => void;
};

/**
 * Consumes a queue whatever happens to the broker: it acknowledges each message once it is noted, and connects
 * again for ever. Messages that expire before they are consumed come too, through a second queue. What the broker
 * gives out again because it did not hear of our acknowledgement is left out: it is no second message.
 */
export class SteadyConsumer {
  readonly #options: SteadyConsumerOptions;
  readonly #seen = new Set<string>();
  #connection: ChannelModel | null = null;
  #channel: Channel | null = null;
  #closed = false;
  #running: Promise<void>;
  readonly #markers = new Map<string, () => void>();

  constructor(options: SteadyConsumerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Resolves once all that the queue holds now has been noted. */
  async drained(): Promise<void> {
    const id = `marker-${Math.random()}`;
    const come = new Promise<void>((resolve) => this.#markers.set(id, resolve));
    while (this.#markers.has(id)) {
      this.#channel?.sendToQueue(this.#options.queue, Buffer.from(''), { messageId: id });
      await Promise.race([come, delay(1000)]);
    }
  }

  /** Declares the queue anew, which someone has deleted, and consumes it. */
  async consumeAgain(): Promise<void> {
    const channel = this.#channel;
    if (channel !== null) await this.#consume(channel);
  }

  async close(): Promise<void> {
    this.#closed = true;
    try {
      await this.#connection?.close();
    } catch {
      // It has ended already.
    }
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#serve();
      } catch {
        // The broker is away.
      }
      this.#channel = null;
      await delay(RETRY);
    }
  }

  /** Resolves when the connection has ended. */
  async #serve(): Promise<void> {
    const connection = await this.#options.connect();
    const ended = new Promise<void>((resolve) => {
      connection.on('error', () => {}).on('close', () => resolve());
    });
    this.#connection = connection;
    const channel = await connection.createChannel();
    channel.on('error', () => {});
    await this.#consume(channel);
    this.#channel = channel;
    await ended;
  }

  async #consume(channel: Channel): Promise<void> {
    const { queue, declare } = this.#options;
    await declareQueue(channel, queue);
    await declare?.(channel);
    const note = (message: ConsumeMessage | null): void => {
      // Null: the queue was deleted.
      if (message === null) return;
      this.#note(message);
      channel.ack(message);
    };
    for (const name of [queue, expiredOf(queue)]) {
      await channel.consume(name, note, { consumerTag: name }).catch(() => {});
    }
  }

  #note(message: ConsumeMessage): void {
    const id = String(message.properties.messageId);
    if (message.fields.redelivered && this.#seen.has(id)) return;
    const marked = this.#markers.get(id);
    if (id.startsWith('marker-')) {
      this.#markers.delete(id);
      marked?.();
      return;
    }
    this.#seen.add(id);
    this.#options.onMessage({ ...message, receivedAt: Date.now() });
  }
}

/** Declares a queue that a steady consumer can consume. */
export async function declareQueue(channel: Channel, queue: string): Promise<void> {
  await channel.assertQueue(expiredOf(queue), { durable: true });
  await channel.assertQueue(queue, {
    durable: true,
    deadLetterExchange: '',
    deadLetterRoutingKey: expiredOf(queue),
  });
}

function expiredOf(queue: string): string {
  return `${queue}.expired`;
}
