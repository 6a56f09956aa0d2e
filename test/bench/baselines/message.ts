import type { Options } from 'amqplib';
import { messageId } from '../../../src/protocol/message-id.ts';

/** amqplib encodes them within `publish`, so one object serves all messages. */
const headers = { 'x-dalga-scheduled-at': 0 };
const properties: Options.Publish = { mandatory: true, persistent: true, appId: 'dalga', headers };

/** What Dalga's message for an interval job has, until the next call. Times in ms. */
export function propertiesOf(tag: string, id: number, time: number, intervalMs: number): Options.Publish {
  headers['x-dalga-scheduled-at'] = time;
  properties.expiration = String(intervalMs);
  properties.messageId = messageId(tag, id, time);
  properties.timestamp = Math.floor(time / 1000);
  return properties;
}
