import { hash } from 'node:crypto';
import type { JobKey } from './job.ts';

/**
 * The name of a job that may not be there yet: its bytes, and their hash. The bytes are shared by rows and batches, and
 * nobody writes to them or transfers them.
 */
export type NamedJob = {
  readonly hash: Uint8Array;
  readonly routingKey: Uint8Array;
  readonly job: Uint8Array;
};

/** Many jobs in a row have the same routing key: its bytes are shared, and posted once for all of a batch. */
let lastRoutingKey: { readonly text: string; readonly bytes: Uint8Array } = {
  text: '',
  bytes: new Uint8Array(),
};

/** The job that a key names. */
export function nameJob(key: JobKey): NamedJob {
  if (key.routingKey !== lastRoutingKey.text) {
    lastRoutingKey = { text: key.routingKey, bytes: bytesOf(key.routingKey) };
  }
  const { bytes: routingKey } = lastRoutingKey;
  const job = bytesOf(key.job);
  return { hash: hashOf(routingKey, job), routingKey, job };
}

/**
 * The key that the table is unique on: the first 16 bytes of SHA-256 over the exact bytes of (routing key, job).
 * The routing key's length stands before it, so that ("ab", "c") and ("a", "bc") differ.
 */
function hashOf(routingKey: Uint8Array, job: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(1 + routingKey.length + job.length);
  bytes[0] = routingKey.length;
  bytes.set(routingKey, 1);
  bytes.set(job, 1 + routingKey.length);
  // As text, since a buffer would be memory of its own outside the heap, which costs more than the hash.
  return Buffer.from(hash('sha256', bytes, 'binary').slice(0, 16), 'latin1');
}

/** Memory of its own, not of Node's pool: a view of a shared buffer would take the whole buffer along when it is posted. */
function bytesOf(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}
