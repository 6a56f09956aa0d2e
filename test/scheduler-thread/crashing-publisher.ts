import { parentPort, threadId } from 'node:worker_threads';
import { Outcome, type PublishAnswer, type PublishBatch } from '../../src/protocol/scheduler-publisher.ts';

/** A stand-in for a publisher thread, which a message with the id 666 crashes, and 667 ends. */
parentPort!.postMessage({
  type: 'connection.changed',
  threadId,
  connected: true,
  reason: null,
  blocked: false,
});
parentPort!.postMessage({
  type: 'exchange.changed',
  threadId,
  exchange: 'bad',
  usable: false,
  reason: '404',
});

export function handle({ ids, count }: PublishBatch): PublishAnswer | Promise<PublishAnswer> {
  if (ids.includes(667)) process.exit();
  if (ids.includes(666)) {
    return new Promise(() => {
      setImmediate(() => {
        throw new Error('the thread has crashed');
      });
    });
  }
  const outcomes = new Uint8Array(count).fill(Outcome.confirmed);
  return { threadId, outcomes, writtenAt: new Float64Array(count) };
}
// biome-ignore lint/style/noDefaultExport: Piscina asks for one.
export default handle;
