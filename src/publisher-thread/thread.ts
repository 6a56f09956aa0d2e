import { BroadcastChannel, parentPort, threadId } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { PublishAnswer, PublishBatch, PublisherInit } from '../protocol/scheduler-publisher.ts';
import { startPublisher } from './publisher.ts';

/** A publisher thread: Piscina's handler. Piscina has no message to one thread, so the end is broadcast. */
const { closing, ...init } = Piscina.workerData as PublisherInit & { readonly closing: string };
const publisher = startPublisher(init, threadId, (report) => parentPort!.postMessage(report));
const goodbye = new BroadcastChannel(closing);
goodbye.onmessage = async ({ data }: { data?: unknown }) => {
  if (data !== 'close') return;
  await publisher.close();
  goodbye.postMessage('closed');
};
goodbye.unref();

export default function handle(batch: PublishBatch): Promise<PublishAnswer> {
  return publisher.publish(batch);
}
