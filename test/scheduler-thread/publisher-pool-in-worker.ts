import { parentPort, workerData } from 'node:worker_threads';
import { createPublisherPool } from '../../src/scheduler-thread/publisher-pool.ts';
import { makeBatch } from '../publisher-thread/harness.ts';

/** A worker thread with a pool of its own, as the scheduler thread is. */
const { rabbitmq, queue } = workerData;
const pool = createPublisherPool({
  init: { rabbitmq },
  threads: 1,
  onReport: () => {},
  onThreadLost: (_, error) => {
    throw new Error(`the thread ended: ${error?.message}`);
  },
});
const answer = await pool.publish(makeBatch([{ routingKey: queue }, { routingKey: queue }]));
parentPort!.postMessage(answer);
await pool.close();
