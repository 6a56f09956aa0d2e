import t from 'tap';
import { RestartableRabbitmq } from '../../helpers/restartable-rabbitmq.ts';
import { declareQueue } from '../../helpers/steady-consumer.ts';
import { World } from './world.ts';

t.test('RabbitMQ is stopped, is killed, and comes later than Dalga', { timeout: 300_000 }, async (t) => {
  const broker = await RestartableRabbitmq.start(t);
  const connect = () => broker.connect();
  const declaring = await connect();
  const channel = await declaring.createChannel();
  for (const queue of ['first', 'second']) await declareQueue(channel, queue);
  await declaring.close();
  const options = { rabbitmq: broker.login, connect };
  const first = await World.start(t, { ...options, queue: 'first' });
  await first.says(/^connected to RabbitMQ/);
  first.told();

  // None of the long ones may be lost; the short ones miss runs, and catch up.
  const short = await first.schedule({ count: 20, interval: 2, in: 1000, spacing: 100 });
  await first.schedule({ count: 800, interval: 3600, in: 1000, spacing: 25 });
  await first.more(50);
  await first.fault(async () => {
    await broker.stop();
    await first.says(/refuses the connection/);
    t.equal((await fetch(`${first.url}/readyz`)).status, 503);
    await broker.startAgain();
    await first.process.ready(first.url);
    await first.settled();
  });
  const stopped = first.told();
  // The broker says goodbye, and then ends the connection: a write can meet that before the goodbye is read.
  t.match(stopped[0], /^not connected to RabbitMQ: .*(shutdown|ECONNRESET|EPIPE)/);
  t.equal(stopped.at(-1), 'connected to RabbitMQ');
  t.equal(new Set(stopped).size, stopped.length, 'each change of state is told once', { stopped });
  const caughtUp = first.messages.filter(({ properties }) => properties.headers?.['x-dalga-missed'] > 0);
  t.ok(caughtUp.length >= short.length, 'each short job has a run that stands for those it missed');

  await first.schedule({ count: 800, interval: 3600, in: 500, spacing: 25 });
  await first.more(50);
  let second: World | undefined;
  await first.fault(async () => {
    await broker.kill();
    await first.says(/^not connected to RabbitMQ/);
    second = await World.start(t, { ...options, queue: 'second' });
    await second.says(/^not connected to RabbitMQ/);
    t.equal((await fetch(`${second.url}/readyz`)).status, 503);
    await second.fault(async () => {
      await second!.schedule({ count: 200, interval: 3600, in: 0, spacing: 10 });
      await broker.startAgain();
      await Promise.all([first, second!].map((world) => world.process.ready(world.url)));
      await Promise.all([first.settled(), second!.settled()]);
    });
  });
  const killed = first.told();
  t.match(killed[0], /^not connected to RabbitMQ/);
  t.equal(killed.at(-1), 'connected to RabbitMQ');
  t.equal(new Set(killed).size, killed.length, 'each change of state is told once', { killed });
  const later = second!.told();
  t.match(later[0], /refuses the connection.*; publishing starts when it can be reached/);
  t.equal(later.at(-1), 'connected to RabbitMQ');
  t.equal(new Set(later).size, later.length, 'each change of state is told once', { later });

  await first.more(1);
  // A broker that is killed forgets what it has handed out, and may give it out again without saying so.
  const { metrics } = await first.judge({ givenOutAgain: true });
  t.equal(metrics.samples.get('dalga_reconnects_total{server="rabbitmq"}'), 2);
  await second!.judge();
});
