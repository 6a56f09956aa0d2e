import { threadId } from 'node:worker_threads';
import { Gauge } from './gauge.ts';

/** A publisher thread with a gauge. */
new Gauge(`publisher-${threadId}`);

export { default } from '../../../src/publisher-thread/thread.ts';
