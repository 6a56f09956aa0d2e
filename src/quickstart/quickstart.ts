import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import amqp from 'amqplib';
import { readEnvironment } from '../config/environment.ts';
import { type Config, ConfigError, loadConfig } from '../config.ts';
import { startDalga, writeServerSettings } from './dalga-process.ts';
import { INTERVAL, parseOpml, QUEUE, scheduleFeeds } from './feeds.ts';
import { isPortFree } from './free-port.ts';
import { startLiveView } from './live-view.ts';
import { chooseServers, Refusal, type Servers } from './server-choice.ts';
import { type Running, StartFailed } from './server-start.ts';
import { Statistics } from './statistics.ts';
import type { Step } from './step.ts';

export type QuickstartOptions = {
  /** The checkout's folder. */
  root: string;
  step: Step;
};

/**
 * The newcomer's first run: servers, Dalga, real feeds, and a live view of their messages, until Ctrl-C, SIGTERM
 * or, with DALGA_QUICKSTART_SECONDS=N in the environment, N seconds of the view. Then it ends all that it has
 * started, newest first; the data stays for the next time. Resolves with the exit code: 0, 1 after a failure,
 * 2 when the settings are wrong.
 */
export async function quickstart(options: QuickstartOptions): Promise<number> {
  const stops: (() => Promise<void>)[] = [];
  const end = endOfRun();
  const view = { stop: () => {} };
  const broken = brokenRun();
  let code = 0;
  try {
    const atEnd = (stop: () => Promise<void>) => stops.unshift(stop);
    // A step that is still under way when the end comes is left alone: what it starts ends with this process.
    await Promise.race([
      run({ ...options, atEnd, watch: broken.watch, end, view }),
      end.reached,
      broken.failed,
    ]);
  } catch (error) {
    view.stop();
    console.error(`\n${(error as Error).message}`);
    code = error instanceof Refusal || error instanceof ConfigError ? error.exitCode : 1;
  } finally {
    view.stop();
    if (stops.length > 0) {
      console.log('\nending what was started');
      for (const stop of stops) await stop().catch((error: Error) => console.error(error.message));
    }
  }
  return code;
}

type End = { reached: Promise<void>; reach: () => void };

/** Reached by the first SIGINT or SIGTERM. A second one does not wait for the servers to stop. */
function endOfRun(): End {
  const { promise, resolve } = withResolvers();
  let asked = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (asked) process.exit(130);
      asked = true;
      resolve();
    });
  }
  return { reached: promise, reach: resolve };
}

/** Fails with the first of the watched servers that ends before the run does. */
function brokenRun(): { failed: Promise<never>; watch: (running: Running) => void } {
  let watch = (_running: Running): void => {};
  const failed = new Promise<never>((_resolve, reject) => {
    watch = ({ name, exited, logFile }) => {
      exited.then((how) => {
        const what = `${name} has ended by itself (${how}), and the quickstart ends with it. The data stays for the next time`;
        reject(new StartFailed(what, logFile));
      });
    };
  });
  return { failed, watch };
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

type Run = QuickstartOptions & {
  /** Takes what ends something that was started. */
  atEnd: (stop: () => Promise<void>) => void;
  end: End;
  /** Takes what must not end before the run does. */
  watch: (running: Running) => void;
  /** The live view, which must be still before anything else is printed. */
  view: { stop: () => void };
};

async function run({ root, step, atEnd, watch, end, view }: Run): Promise<void> {
  const { config } = loadConfig({ env: process.env, args: [] });
  const { host, port } = config.http;
  const api = `http://127.0.0.1:${port}`;
  if (!(await isPortFree(port))) {
    throw new Refusal(
      `Port ${port} on 127.0.0.1 is in use, perhaps by another quickstart or Dalga. End that, or choose ` +
        'another port with DALGA_HTTP_PORT.',
    );
  }
  const given = readEnvironment(process.env);
  const servers = await chooseServers({ root, step, config, given, atEnd, watch });
  const feeds = parseOpml(readFileSync(join(root, 'config', 'feeds.opml'), 'utf8'));

  const statistics = new Statistics();
  atEnd(await startConsumer(config, servers, statistics));
  const logFile = join(root, '.private', 'quickstart', 'dalga.log');
  // Passwords that someone has given are not written down.
  const isOwn = servers.mysql !== config.mysql && servers.rabbitmq !== config.rabbitmq;
  const settingsFile = join('.private', 'quickstart', 'servers.env');
  if (isOwn) writeServerSettings(join(root, settingsFile), servers);
  const dalga = await step(`starting Dalga on ${host}:${port}`, () =>
    startDalga({ root, config, servers, api, logFile }),
  );
  const since = Date.now();
  statistics.runningSince(since);
  atEnd(() => dalga.end());
  watch({ name: 'Dalga', exited: dalga.exited, logFile });
  const { created, kept } = await step(
    `scheduling ${feeds.length} feeds, each every ${INTERVAL} s`,
    (detail) => scheduleFeeds(api, feeds, detail),
  );
  console.log(`  ${created} jobs created, ${kept} kept from an earlier start; Dalga's log: ${logFile}`);
  view.stop = startLiveView({
    ...{ api, feeds, statistics, since, out: process.stdout },
    settingsFile: isOwn ? settingsFile : null,
  });
  const seconds = Number(process.env.DALGA_QUICKSTART_SECONDS);
  if (seconds > 0) setTimeout(end.reach, seconds * 1000);
  await end.reached;
}

/**
 * Declares the queue before anything is published to it, and counts what comes; a connection that is lost is made anew,
 * as Dalga does it. Resolves with its end.
 */
async function startConsumer(config: Config, servers: Servers, statistics: Statistics) {
  let ended = false;
  let connection: amqp.ChannelModel;
  const connect = async () => {
    connection = await consume(config, servers, statistics);
    connection.once('close', () => void connectAgain());
  };
  const connectAgain = async () => {
    while (!ended) {
      await new Promise((resolve) => setTimeout(resolve, 1000).unref());
      try {
        if (!ended) await connect();
        return;
      } catch {
        // It is not back yet.
      }
    }
  };
  await connect();
  return async () => {
    ended = true;
    // One that is lost cannot be closed.
    await connection.close().catch(() => {});
  };
}

async function consume({ rabbitmq: { exchange } }: Config, servers: Servers, statistics: Statistics) {
  const { host, port, user, password, vhost } = servers.rabbitmq;
  const login = { protocol: 'amqp', hostname: host, port, username: user, password, vhost };
  const connection = await amqp.connect(login);
  // Shown by the figures, which then stand still, and by Dalga's log; it must not end the quickstart.
  connection.on('error', () => {});
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  await channel.assertQueue(QUEUE, { durable: true });
  if (exchange !== '') await channel.bindQueue(QUEUE, exchange, QUEUE);
  await channel.consume(
    QUEUE,
    (message) => {
      if (!message) return;
      const scheduledAt: unknown = message.properties.headers?.['x-dalga-scheduled-at'];
      statistics.add({
        job: message.content.toString(),
        scheduledAt: scheduledAt === undefined ? undefined : Number(scheduledAt),
        receivedAt: Date.now(),
      });
    },
    { noAck: true },
  );
  return connection;
}
