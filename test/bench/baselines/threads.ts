import { once } from 'node:events';
import { parentPort, Worker } from 'node:worker_threads';
import { answerParent } from '../child.ts';

export type ThreadsRequest<Options> =
  | { readonly type: 'prepare'; readonly threads: number; readonly options: Options }
  | { readonly type: 'go' };

/** s of CPU of the process, from `go` until its last thread is done. */
export type ThreadsAnswer = { readonly cpu: number };

/** What a thread is given: itself, of how many. */
export type ThreadData<Options> = {
  readonly options: Options;
  readonly thread: number;
  readonly threads: number;
};

/** A baseline as a process of its own: `prepare` starts its threads, which connect; `go` lets them do their work. */
export function answerWithThreads<Options>(entry: URL): void {
  const workers: Worker[] = [];
  answerParent<ThreadsRequest<Options>, ThreadsAnswer>(async (request) => {
    if (request.type === 'prepare') {
      const { threads, options } = request;
      for (let thread = 0; thread < threads; thread++) {
        workers.push(
          new Worker(entry, { workerData: { options, thread, threads } satisfies ThreadData<Options> }),
        );
      }
      await Promise.all(workers.map((worker) => once(worker, 'message')));
      return { cpu: 0 };
    }
    const before = process.cpuUsage();
    const done = workers.map((worker) => once(worker, 'message'));
    for (const worker of workers) worker.postMessage('go');
    await Promise.all(done);
    const { user, system } = process.cpuUsage(before);
    return { cpu: (user + system) / 1e6 };
  });
}

/** The thread's side: is ready, and does its work once when told to. What it throws ends the process. */
export function workOnce(work: () => Promise<void>): void {
  parentPort!.once('message', async () => {
    await work();
    parentPort!.postMessage('done');
  });
  parentPort!.postMessage('ready');
}
