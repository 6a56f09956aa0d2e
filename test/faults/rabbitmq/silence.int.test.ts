import t, { type Test } from 'tap';
import { startProxy } from '../../helpers/proxy.ts';
import { RestartableRabbitmq } from '../../helpers/restartable-rabbitmq.ts';
import { testRabbitmq } from '../../helpers/servers.ts';
import { World } from './world.ts';

/** Jobs that run while nobody answers: some may not be lost, some miss runs. */
async function scheduleSome(world: World): Promise<void> {
  await world.schedule({ count: 10, interval: 5, in: 1000, spacing: 500 });
  await world.schedule({ count: 300, interval: 3600, in: 1000, spacing: 100 });
  await world.more(10);
}

/** What all these faults have in common: only the heartbeat notices, and the log says it once. */
async function toldOnce(t: Test, world: World): Promise<void> {
  const told = world.told();
  t.match(told, [/^not connected to RabbitMQ: .* does not answer in time/, 'connected to RabbitMQ'], {
    told,
  });
  t.equal(told.length, 2, { told });
}

async function connected(t: Test, options: Parameters<typeof World.start>[1]): Promise<World> {
  const world = await World.start(t, options);
  await world.says(/^connected to RabbitMQ/);
  await world.consumer.drained();
  world.told();
  return world;
}

/** They wait for the same heartbeat (10 s, noticed after 20 to 30), so they wait together. */
t.test(
  'a broker that says nothing, and a network that does not either',
  { timeout: 300_000, jobs: 4 },
  async (t) => {
    const shared = await testRabbitmq();
    t.teardown(shared.close);

    t.test('a broker that is frozen', async (t) => {
      const broker = await RestartableRabbitmq.start(t);
      const connect = () => broker.connect();
      const world = await connected(t, { rabbitmq: broker.login, connect, queue: 'frozen' });
      await scheduleSome(world);
      await world.fault(async () => {
        broker.freeze();
        await world.says(/^not connected to RabbitMQ/);
        broker.thaw();
        await world.says(/^connected to RabbitMQ/);
        await world.settled();
      });
      await toldOnce(t, world);
      const { metrics } = await world.judge();
      t.ok(metrics.samples.get('dalga_messages_lost_total')! > 0, 'what was written to the frozen broker');
    });

    t.test('a network in which all vanishes, for new connections too', async (t) => {
      const proxy = await startProxy(shared);
      t.teardown(() => proxy.close());
      const rabbitmq = { ...shared, port: proxy.port };
      const world = await connected(t, { rabbitmq, connect: shared.connect, queue: shared.name() });
      await scheduleSome(world);
      const made = proxy.made;
      await world.fault(async () => {
        proxy.blackHole(true);
        await world.says(/^not connected to RabbitMQ/);
        await proxy.connections(made + 2);
        proxy.blackHole(false);
        await world.says(/^connected to RabbitMQ/);
        await world.settled();
      });
      await toldOnce(t, world);
      await world.judge();
    });

    t.test('a network that is slow, that cuts, and that forgets the connection', async (t) => {
      const proxy = await startProxy(shared);
      t.teardown(() => proxy.close());
      const rabbitmq = { ...shared, port: proxy.port };
      const world = await connected(t, { rabbitmq, connect: shared.connect, queue: shared.name() });
      await scheduleSome(world);
      proxy.delay(300);
      await world.more(20);
      t.same(world.told(), [], 'slow is no fault');
      await world.fault(async () => {
        proxy.cut();
        await world.says(/^connected to RabbitMQ/);
        proxy.delay(0);
        await world.settled();
      });
      t.match(world.told(), [/^not connected to RabbitMQ/, 'connected to RabbitMQ']);
      await scheduleSome(world);
      const made = proxy.made;
      await world.fault(async () => {
        proxy.halfOpen();
        await world.says(/^connected to RabbitMQ/);
        await world.settled();
      });
      t.equal(proxy.made, made + 1, 'over a new connection');
      await toldOnce(t, world);
      await world.judge();
    });
  },
);
