import { MessageChannel, Worker } from 'node:worker_threads';
import { systemTimers } from '../clock.ts';
import type { Config } from '../config.ts';
import { type PlainError, toPlainError } from '../errors.ts';
import { typedPort } from '../protocol/typed-port.ts';
import { SchedulerClient, type SchedulerPort, type StartScheduler } from './scheduler-client.ts';

/** tsc does not rewrite the extension in a URL, so this names the compiled file. */
const ENTRY = new URL('../scheduler-thread/thread.js', import.meta.url);

/** How long the publishers of a thread that is not needed may take to close their connections, ms. */
const GOODBYE = 500;

/** What starts a scheduler thread, and has one that waits for its work already. */
export type PreparedScheduler = {
  /** Gives the thread its work. What needs another one after that waits until it has started. */
  readonly start: StartScheduler;
  /** Ends the thread that waits, if it still does. */
  discard(): Promise<void>;
};

export type PrepareOptions = {
  /** The thread's compiled entry. */
  readonly entry?: URL;
  /** What main's end of the port goes through. */
  readonly wrapPort?: (port: SchedulerPort) => SchedulerPort;
};

/**
 * Starts the scheduler thread before there is anything to schedule: it loads its program, and its publishers reach
 * RabbitMQ, while main checks the servers and asks for the table, or stands by.
 */
export function prepareScheduler(config: Config, options: PrepareOptions = {}): PreparedScheduler {
  const { entry = ENTRY, wrapPort = (port) => port } = options;
  let prepared: StartedWorker | null = startWorker(config, entry);
  return {
    start(init, events, timers) {
      const { worker, port, ended } = prepared ?? startWorker(config, entry);
      prepared = null;
      const client = new SchedulerClient(wrapPort(typedPort(port)), events, timers);
      let ending = false;
      void ended.then((error) => {
        if (!ending) client.fail(error);
      });
      worker.postMessage(init);
      return {
        client,
        async terminate(grace) {
          ending = true;
          if (grace > 0) {
            await new Promise<void>((resolve) => {
              const timer = timers.set(resolve, grace);
              void ended.then(() => {
                timers.clear(timer);
                resolve();
              });
            });
          }
          port.close();
          await worker.terminate();
        },
      };
    },
    async discard() {
      const discarded = prepared;
      prepared = null;
      if (discarded === null) return;
      discarded.worker.postMessage(null);
      await Promise.race([
        discarded.ended,
        new Promise<void>((resolve) => systemTimers.set(resolve, GOODBYE)),
      ]);
      discarded.port.close();
      await discarded.worker.terminate();
    },
  };
}

type StartedWorker = ReturnType<typeof startWorker>;

function startWorker(config: Config, entry: URL) {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(entry, {
    name: 'scheduler',
    workerData: { config, port: port2 },
    transferList: [port2],
  });
  const ended = new Promise<PlainError>((resolve) => {
    worker.once('error', (error) => resolve(toPlainError(error)));
    worker.once('exit', (code) =>
      resolve({ name: 'Error', message: `the scheduler thread ended with code ${code}` }),
    );
  });
  return { worker, port: port1, ended };
}
