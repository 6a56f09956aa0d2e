import type { JobName } from './types/jobs.ts';

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

/** A message of Dalga's: it names its job, so that it may be handed to the methods of the client. */
export type DalgaMessage = JobName & {
  /** The body as text: the job. For one with a payload of its own that payload; the message does not name the job then. */
  readonly job: string;
  readonly body: Uint8Array;
  /** Why it came: by its schedule, by hand, or as one of a backfill. */
  readonly kind: 'scheduled' | 'run' | 'backfill';
  /** When the run was due. Of a catch-up run: the latest time that it stands for. */
  readonly scheduledAt: Date;
  /** On a catch-up run: how many runs it stands for that were missed; else 0. */
  readonly missed: number;
  /** The `message_id`: the same for every repetition of the run, and of no other. */
  readonly id: string;
  /** Whether RabbitMQ has delivered it before. */
  readonly redelivered: boolean;
  /** The job's own headers, and those of Dalga. */
  readonly headers: Readonly<Record<string, unknown>>;
};

/**
 * Reads a message. Null for the null that amqplib gives when RabbitMQ has cancelled the consumer, as when the queue is
 * deleted: no message comes any more.
 *
 * @throws TypeError when it is no message of Dalga's
 */
export function parseMessage(delivered: DeliveredMessage): DalgaMessage;
export function parseMessage(delivered: DeliveredMessage | null): DalgaMessage | null;
export function parseMessage(delivered: DeliveredMessage | null): DalgaMessage | null {
  if (delivered === null) return null;
  const { content, fields, properties } = delivered;
  const headers = properties.headers ?? {};
  const scheduledAt = headers['x-dalga-scheduled-at'];
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
    // A leading U+FEFF belongs to the name.
    job: new TextDecoder('utf-8', { ignoreBOM: true }).decode(content),
    body: content,
    kind: (headers['x-dalga-kind'] ?? 'scheduled') as DalgaMessage['kind'],
    scheduledAt: new Date(scheduledAt),
    missed: Number(headers['x-dalga-missed'] ?? 0),
    id: properties.messageId,
    redelivered: fields.redelivered,
    headers,
  };
}
