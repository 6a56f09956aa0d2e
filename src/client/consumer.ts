/** What amqplib's consume gives, as far as it is needed here. */
export type DeliveredMessage = {
  readonly content: Uint8Array;
  readonly fields: { readonly routingKey: string; readonly redelivered: boolean };
  readonly properties: {
    readonly appId?: unknown;
    readonly messageId?: unknown;
    readonly headers?: Readonly<Record<string, unknown>> | undefined;
  };
};

/** A message of Dalga's. */
export type DalgaMessage = {
  readonly routingKey: string;
  /** The body as text: the job, or its payload. */
  readonly body: string;
  readonly scheduledAt: Date;
  /** On a catch-up run: how many runs it stands for that were missed; else 0. */
  readonly missed: number;
  /** The same for every repetition of the run, and of no other. */
  readonly messageId: string;
  readonly redelivered: boolean;
};

/** @throws TypeError when it is no message of Dalga's */
export function parseMessage({ content, fields, properties }: DeliveredMessage): DalgaMessage {
  const scheduledAt = properties.headers?.['x-dalga-scheduled-at'];
  if (
    properties.appId !== 'dalga' ||
    typeof scheduledAt !== 'number' ||
    typeof properties.messageId !== 'string'
  ) {
    throw new TypeError(
      'this message is not one of Dalga: its app_id, message_id or x-dalga-scheduled-at is missing',
    );
  }
  return {
    routingKey: fields.routingKey,
    body: new TextDecoder().decode(content),
    scheduledAt: new Date(scheduledAt),
    missed: Number(properties.headers?.['x-dalga-missed'] ?? 0),
    messageId: properties.messageId,
    redelivered: fields.redelivered,
  };
}

/** Remembers the last messages, so that a run that comes twice is worked on once. */
export class Deduplicator {
  readonly #limit: number;
  readonly #seen = new Set<string>();

  /** @param limit message_ids that are remembered */
  constructor(limit = 100_000) {
    this.#limit = limit;
  }

  /** Whether the message is seen for the first time. */
  isNew({ messageId }: Pick<DalgaMessage, 'messageId'>): boolean {
    if (this.#seen.has(messageId)) return false;
    this.#seen.add(messageId);
    if (this.#seen.size > this.#limit) this.#seen.delete(this.#seen.values().next().value!);
    return true;
  }
}
