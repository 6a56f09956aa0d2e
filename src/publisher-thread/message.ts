import type { Options } from 'amqplib';
import type { MessageOptions } from '../job/job.ts';
import { messageId } from '../protocol/message-id.ts';
import type { PublishBatch } from '../protocol/scheduler-publisher.ts';

/**
 * The message contract's properties. amqplib encodes them within `publish`, so one object serves all messages of
 * the thread. It encodes an integer header in the smallest type that holds it: a time in ms as a 64-bit one,
 * which every client decodes to the exact number.
 */
const headers: Record<string, number | string | undefined> = {
  'x-dalga-scheduled-at': undefined,
  'x-dalga-missed': undefined,
  'x-dalga-kind': undefined,
};
const properties: Options.Publish = { mandatory: true, persistent: true, appId: 'dalga', headers };

const KINDS = ['run', 'backfill'];

/** The properties of one message of the batch, until the next call. */
export function propertiesOf(batch: PublishBatch, position: number): Options.Publish {
  const time = batch.times[position]!;
  const missed = batch.missed[position]!;
  const expiration = batch.expirations[position]!;
  headers['x-dalga-scheduled-at'] = time;
  headers['x-dalga-missed'] = missed > 0 ? missed : undefined;
  const span = batch.spans?.ids[position] ?? 0;
  headers['x-dalga-kind'] = span === 0 ? undefined : KINDS[batch.spans!.backfills[position]!];
  properties.expiration = expiration > 0 ? String(expiration) : undefined;
  properties.messageId = messageId(batch.tag, batch.ids[position]!, time, span);
  properties.timestamp = Math.floor(time / 1000);
  const place = batch.optionsOf?.[position] ?? 0;
  return place === 0 ? properties : withOptions(batch.options[place - 1]!);
}

/** The properties with those of the job. */
function withOptions(options: MessageOptions): Options.Publish {
  const { contentType, priority, correlationId, replyTo, type, traceparent } = options;
  const own = { ...options.headers, ...headers };
  if (traceparent !== undefined) own.traceparent = traceparent;
  return { ...properties, headers: own, contentType, priority, correlationId, replyTo, type };
}
