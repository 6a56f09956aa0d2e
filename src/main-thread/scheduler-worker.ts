import { MessageChannel, Worker } from 'node:worker_threads';
import { systemTimers, type Timers } from '../clock.ts';
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
  /** Gives the thread its work; at a later call, where none waits, a new one is started for it. */
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
      const started = prepared ?? startWorker(config, entry);
      prepared = null;
      const { worker, port, ended } = started;
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
          await endWorker(started, grace, timers);
        },
      };
    },
    async discard() {
      const discarded = prepared;
      prepared = null;
      if (discarded === null) return;
      discarded.worker.postMessage(null);
      await endWorker(discarded, GOODBYE, systemTimers);
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

/** @param grace ms that it has to end by itself */
async function endWorker(
  { worker, port, ended }: StartedWorker,
  grace: number,
  timers: Timers,
): Promise<void> {
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
}
