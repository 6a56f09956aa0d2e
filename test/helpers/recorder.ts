import type { ChannelModel, ConsumeMessage } from 'amqplib';

/** A message as a consumer saw it; times in Unix ms. */
export type Arrival = {
  readonly messageId: string;
  /** The body: the job's name. */
  readonly job: string;
  readonly scheduledAt: number;
  /** x-dalga-missed; 0 for an ordinary run. */
  readonly missed: number;
  readonly arrivedAt: number;
};

export type Recorder = {
  readonly arrivals: readonly Arrival[];
  /** Resolves with the first arrival, past the `after` first ones, that matches. */
  arrival(matches: (arrival: Arrival) => boolean, after?: number): Promise<Arrival>;
  /** Resolves when the queue is empty and all that it had has been recorded. */
  drained(): Promise<void>;
  close(options?: { deleteQueue?: boolean }): Promise<void>;
};

/** Messages that the broker hands over before they must be acknowledged. */
const PREFETCH = 2000;

/** How many are acknowledged at a time. */
const ACKNOWLEDGE_EVERY = 250;

/**
 * Consumes a queue and keeps of each message what an account needs. What came is acknowledged, so that a broker
 * that dies hands out again what was on its way; such a message, which was recorded already, is left out: the
 * broker repeated it. A run of a job expires when the next one is due, which on a loaded machine comes before the
 * consumer: an expired message goes to a queue of its own, and is recorded from there.
 */
export async function startRecorder(
  connect: () => Promise<ChannelModel>,
  queue: string,
  { durable = true }: { durable?: boolean } = {},
): Promise<Recorder> {
  const arrivals: Arrival[] = [];
  const ids = new Set<string>();
  const waiters = new Set<(arrival: Arrival) => void>();
  let closed = false;
  let connection: ChannelModel | null = null;
  let checkEmpty: (() => Promise<boolean>) | null = null;
  let remove: (() => Promise<unknown>) | null = null;

  const expired = `${queue}-expired`;
  const take = (arrival: Arrival, mayBeKnown: boolean): void => {
    if (mayBeKnown && ids.has(arrival.messageId)) return;
    ids.add(arrival.messageId);
    arrivals.push(arrival);
    for (const tell of waiters) tell(arrival);
  };

  const consume = async (): Promise<void> => {
    const opened = await connect();
    connection = opened;
    opened.on('error', () => {});
    opened.on('close', () => {
      checkEmpty = null;
      if (!closed) void consumeAgain();
    });
    const channel = await opened.createChannel();
    channel.on('error', () => {});
    await channel.assertQueue(queue, { durable, deadLetterExchange: '', deadLetterRoutingKey: expired });
    await channel.assertQueue(expired, { durable });
    await channel.prefetch(PREFETCH);
    let unacknowledged = 0;
    const record = (message: ConsumeMessage | null): void => {
      if (message === null) return;
      const { headers, messageId } = message.properties;
      take(
        {
          messageId: String(messageId),
          job: message.content.toString(),
          scheduledAt: Number(headers?.['x-dalga-scheduled-at']),
          missed: Number(headers?.['x-dalga-missed'] ?? 0),
          arrivedAt: Date.now(),
        },
        message.fields.redelivered || headers?.['x-death'] !== undefined,
      );
      if (++unacknowledged < ACKNOWLEDGE_EVERY) return;
      unacknowledged = 0;
      channel.ackAll();
    };
    await channel.consume(queue, record);
    await channel.consume(expired, record);
    remove = () => Promise.all([channel.deleteQueue(queue), channel.deleteQueue(expired)]);
    checkEmpty = async () => {
      const before = arrivals.length;
      channel.ackAll();
      unacknowledged = 0;
      // In this order: what leaves the first goes into the second.
      const waiting = await channel.checkQueue(queue);
      const dead = await channel.checkQueue(expired);
      return waiting.messageCount + dead.messageCount === 0 && arrivals.length === before;
    };
  };
  const consumeAgain = async (): Promise<void> => {
    while (!closed) {
      try {
        await consume();
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  };

  await consume();
  return {
    arrivals,
    arrival(matches, after = 0) {
      const before = arrivals.slice(after).find(matches);
      if (before !== undefined) return Promise.resolve(before);
      return new Promise((resolve) => {
        const tell = (arrival: Arrival): void => {
          if (!matches(arrival)) return;
          waiters.delete(tell);
          resolve(arrival);
        };
        waiters.add(tell);
      });
    },
    async drained() {
      for (let empty = 0; empty < 2; ) {
        const isEmpty = await checkEmpty?.().catch(() => false);
        empty = isEmpty ? empty + 1 : 0;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async close({ deleteQueue = false } = {}) {
      closed = true;
      if (deleteQueue) await remove?.().catch(() => {});
      await connection?.close().catch(() => {});
    },
  };
}

/** Messages that came again, each with the one before it. */
export function repetitions(arrivals: readonly Arrival[]): { before: Arrival; arrival: Arrival }[] {
  const last = new Map<string, Arrival>();
  const found: { before: Arrival; arrival: Arrival }[] = [];
  for (const arrival of arrivals) {
    const before = last.get(arrival.messageId);
    if (before !== undefined) found.push({ before, arrival });
    last.set(arrival.messageId, arrival);
  }
  return found;
}
