import { availableParallelism } from 'node:os';
import { BroadcastChannel, type Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { type PlainError, toPlainError } from '../errors.ts';
import {
  Outcome,
  type OutcomeCode,
  type PublishAnswer,
  type PublishBatch,
  type PublisherInit,
  type PublisherReport,
} from '../protocol/scheduler-publisher.ts';

export type PublisherPoolOptions = {
  readonly init: PublisherInit;
  readonly threads: number;
  readonly onReport: (report: PublisherReport) => void;
  /**
   * A thread has ended unasked, after its last report and its last answer: what it left pending is lost.
   * Another thread, with another id, takes its place.
   */
  readonly onThreadLost: (threadId: number, error: PlainError | null) => void;
  /** The threads' entry, a compiled file. */
  readonly entry?: URL | undefined;
};

export type PublisherPool = {
  /**
   * Publishes a batch. Never rejects: when the thread ends before its answer, what it wrote is not known and all
   * is `lost`; after `close` all is `unsent` (the answer's threadId is then -1). A late outcome can be reported
   * before the answer that calls it pending. The buffer of the batch's arrays is transferred, so that they are empty
   * afterwards.
   */
  publish(batch: PublishBatch): Promise<PublishAnswer>;
  /** Closes the connections, for at most a second, and ends the threads. */
  close(): Promise<void>;
};

/** Batches that a thread takes at a time. */
export const BATCHES_PER_THREAD = 16;

/** How long threads may take to say goodbye to the broker, ms. */
const CLOSE_DEADLINE = 1000;

/** tsc does not rewrite the extension in a URL, so this names the compiled file. */
const ENTRY = new URL('../publisher-thread/thread.js', import.meta.url);

let pools = 0;

/**
 * How many publisher threads to start; `configured` 0 lets the cores decide. One thread publishes as much as a
 * broker on the same two cores takes; a second one helps only where there are cores for it.
 */
export function publisherThreads(configured: number, cores: number = availableParallelism()): number {
  if (configured > 0) return configured;
  return cores < 4 ? 1 : 2;
}

/** Starts the threads at once; each connects and reports `connection.changed`. */
export function createPublisherPool(options: PublisherPoolOptions): PublisherPool {
  pools += 1;
  const closing = `dalga-publishers-${process.pid}-${pools}-${Math.random()}`;
  const piscina = new Piscina({
    filename: (options.entry ?? ENTRY).href,
    workerData: { ...options.init, closing },
    minThreads: options.threads,
    maxThreads: options.threads,
    concurrentTasksPerWorker: BATCHES_PER_THREAD,
    idleTimeout: Number.POSITIVE_INFINITY,
    // 'sync' stops a thread's event loop between tasks, and with it the heartbeats and the late confirms.
    atomics: 'disabled',
    recordTiming: false,
  });
  const alive = new Set<Worker>();
  const unusable = new Map<number, Set<string>>();
  let closed: Promise<void> | null = null;

  /** Piscina tells of a thread's end when its id is gone already, so each is noted when it is first seen. */
  function watch(): void {
    for (const worker of piscina.threads) {
      if (alive.has(worker)) continue;
      alive.add(worker);
      const id = worker.threadId;
      let error: PlainError | null = null;
      worker.once('error', (cause) => {
        error = toPlainError(cause);
      });
      // Node hands over all messages of a worker before its 'exit', so no report of it comes after this.
      worker.once('exit', () => {
        alive.delete(worker);
        if (closed === null) lose(id, error);
      });
    }
  }

  function lose(id: number, error: PlainError | null): void {
    options.onThreadLost(id, error);
    // The thread that takes its place knows nothing of these, and finds out anew.
    for (const exchange of unusable.get(id) ?? []) {
      options.onReport({ type: 'exchange.changed', threadId: id, exchange, usable: true, reason: null });
    }
    unusable.delete(id);
  }

  function noteUnusable(report: PublisherReport): void {
    if (report.type !== 'exchange.changed') return;
    const exchanges = unusable.get(report.threadId) ?? new Set();
    unusable.set(report.threadId, exchanges);
    if (report.usable) exchanges.delete(report.exchange);
    else exchanges.add(report.exchange);
  }

  watch();
  piscina.on('workerCreate', watch);
  piscina.on('message', (report: PublisherReport) => {
    watch();
    noteUnusable(report);
    options.onReport(report);
  });
  // The faults of threads that have no batch; their own 'error' has told.
  piscina.on('error', () => {});

  async function publish(batch: PublishBatch): Promise<PublishAnswer> {
    const { count } = batch;
    if (closed !== null) return answerAll(count, Outcome.unsent);
    try {
      return await piscina.run(batch, { transferList: [bufferOf(batch)] });
    } catch {
      return answerAll(count, Outcome.lost);
    }
  }

  async function end(): Promise<void> {
    if (alive.size > 0) await sayGoodbye(closing, alive.size);
    await piscina.destroy();
  }

  return {
    publish,
    close() {
      closed ??= end();
      return closed;
    },
  };
}

/** Lets the threads close their connections. */
function sayGoodbye(channelName: string, threads: number): Promise<void> {
  const goodbye = new BroadcastChannel(channelName);
  return new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, CLOSE_DEADLINE);
    let left = threads;
    goodbye.onmessage = () => {
      if (--left > 0) return;
      clearTimeout(timer);
      resolve();
    };
    goodbye.postMessage('close');
  }).finally(() => goodbye.close());
}

/** The buffer that the batch's arrays share. */
function bufferOf({ ids }: PublishBatch): ArrayBuffer {
  return ids.buffer as ArrayBuffer;
}

function answerAll(count: number, outcome: OutcomeCode): PublishAnswer {
  return {
    threadId: -1,
    outcomes: new Uint8Array(count).fill(outcome),
    writtenAt: new Float64Array(count),
  };
}
