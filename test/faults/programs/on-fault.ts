import { BroadcastChannel } from 'node:worker_threads';

/** What can be done to a thread: an error that nobody catches, or more memory than it may have. */
export type ThreadFault = `${'scheduler' | 'publisher'}-${'error' | 'memory'}`;

/** Lets the main thread bring about a fault of this one, of the given kind. */
export function onFault(thread: 'scheduler' | 'publisher'): void {
  const faults = new BroadcastChannel('dalga-test-faults');
  faults.onmessage = ({ data }: { data?: unknown }) => {
    if (data === `${thread}-error`) setImmediate(fail, thread);
    if (data === `${thread}-memory`) setImmediate(exhaust);
  };
  faults.unref();
}

function fail(thread: string): void {
  throw new Error(`a fault of the ${thread} that a test has brought about`);
}

/** Fills the heap with what cannot be collected. */
function exhaust(): void {
  const kept: number[][] = [];
  for (;;) kept.push(new Array<number>(100_000).fill(kept.length + 0.5));
}
