import t from 'tap';
import { monotonicNow, systemTimers } from '../../src/clock.ts';
import { type Config, loadConfig } from '../../src/config.ts';
import type { SchedulerEvents } from '../../src/main-thread/scheduler-client.ts';
import { prepareScheduler } from '../../src/main-thread/scheduler-worker.ts';
import type { SchedulerInit } from '../../src/protocol/main-scheduler.ts';
import { listed } from '../helpers/exceptions.ts';
import { startProxy, type TcpProxy } from '../helpers/proxy.ts';
import { type TestRabbitmq, testRabbitmq } from '../helpers/servers.ts';

/** Methods of AMQP's class `connection` as they stand in a frame: the class, and the method. */
const OPEN_OK = Buffer.from([0, 10, 0, 41]);
const CLOSE = Buffer.from([0, 10, 0, 50]);
/** Of the class `channel`: the server refuses something. */
const CHANNEL_CLOSE = Buffer.from([0, 20, 0, 40]);

t.test(
  'a prepared scheduler reaches RabbitMQ before it has work, and knows it when it gets some',
  async (t) => {
    const { config, proxy } = await setUp(t);
    const connected = heard(proxy, 'server', OPEN_OK);
    const prepared = prepareScheduler(config);
    await connected;
    const { events, next } = collect();
    const thread = prepared.start(initOf(config), events, systemTimers);
    await next('started');
    await next('1 connected');
    t.equal(proxy.made, 1, 'no other connection was needed');
    const stopped = await thread.client.stop(monotonicNow() + 5000, 10_000);
    t.equal(stopped?.clean, true);
    await thread.terminate(5000);
  },
);

t.test(
  'what a publisher has found out of its exchange meanwhile does not hide that it is connected',
  async (t) => {
    const { config, proxy } = await setUp(t);
    // It asks again only when it has told of the first answer.
    const refused = heard(proxy, 'server', CHANNEL_CLOSE, 2);
    const missing = { ...config, rabbitmq: { ...config.rabbitmq, exchange: 'there-is-no-such-exchange' } };
    const prepared = prepareScheduler(missing);
    await refused;
    const { events, next } = collect();
    const thread = prepared.start(initOf(missing), events, systemTimers);
    await next('1 connected');
    const stopped = await thread.client.stop(monotonicNow() + 5000, 10_000);
    t.equal(stopped?.clean, true);
    await thread.terminate(5000);
  },
);

t.test('a prepared scheduler that gets no work says goodbye to RabbitMQ', async (t) => {
  const { config, proxy } = await setUp(t);
  const connected = heard(proxy, 'server', OPEN_OK);
  const prepared = prepareScheduler(config);
  await connected;
  const closed = heard(proxy, 'client', CLOSE);
  await prepared.discard();
  await closed;
  await prepared.discard();
});

t.test('a thread that cannot be started is told of when there is work for it', async (t) => {
  const { config } = await setUp(t);
  const prepared = prepareScheduler(config, { entry: new URL('file:///there/is/no/such/file.js') });
  const { events, next } = collect();
  const thread = prepared.start({ config } as Parameters<typeof prepared.start>[0], events, systemTimers);
  await next('failed: Cannot find module');
  await thread.terminate(0);
});

function initOf(config: Config): SchedulerInit {
  return {
    ...{ config, tag: 'k3x9', watermark: Date.now(), exceptions: listed([]) },
    spans: [],
    clockOffset: Date.now() - monotonicNow(),
    ...{ trustedUntil: Number.POSITIVE_INFINITY, memoryLimit: Number.POSITIVE_INFINITY },
  };
}

async function setUp(t: { teardown(end: () => unknown): void }) {
  const rabbitmq: TestRabbitmq = await testRabbitmq();
  const proxy = await startProxy(rabbitmq);
  t.teardown(() => proxy.close());
  const { config } = loadConfig({ env: { DALGA_PUBLISHER_THREADS: '1' }, args: [] });
  const { user, password, vhost } = rabbitmq;
  const { host, port } = proxy;
  const through: Config = {
    ...config,
    rabbitmq: { ...config.rabbitmq, host, port, user, password, vhost },
  };
  return { config: through, proxy };
}

/** Resolves when the side has sent these bytes so often. */
function heard(proxy: TcpProxy, side: 'client' | 'server', bytes: Buffer, times = 1): Promise<void> {
  let left = times;
  return new Promise((resolve) => {
    proxy.listen((from, data) => {
      if (from === side && data.includes(bytes) && --left === 0) resolve();
    });
  });
}

/** Events as texts; `next` resolves when one begins so. */
function collect() {
  const told: string[] = [];
  let wake: () => void = () => {};
  const note = (text: string) => {
    told.push(text);
    wake();
  };
  const events: SchedulerEvents = {
    onStarted: () => note('started'),
    onProgress: () => {},
    onLoading: () => {},
    onLoaded: () => {},
    onBroker: (connected) => note(`${connected} connected`),
    onEvents: () => {},
    onFailed: (error) => note(`failed: ${error.message}`),
  };
  const next = async (beginning: string): Promise<void> => {
    while (!told.some((text) => text.startsWith(beginning))) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { events, next };
}
