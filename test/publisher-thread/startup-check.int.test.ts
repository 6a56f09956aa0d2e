import { type AddressInfo, createServer, type Socket } from 'node:net';
import t from 'tap';
import type { RabbitmqConfig } from '../../src/config.ts';
import { StartupError } from '../../src/errors.ts';
import { startPublisher } from '../../src/publisher-thread/publisher.ts';
import { checkBroker } from '../../src/publisher-thread/startup-check.ts';
import { testRabbitmq } from '../helpers/servers.ts';
import { configOf, Reports } from './harness.ts';

const rabbit = await testRabbitmq();
t.teardown(rabbit.close);

async function refusal(changes: Partial<RabbitmqConfig>): Promise<StartupError> {
  try {
    await checkBroker(configOf(rabbit, changes));
  } catch (error) {
    if (error instanceof StartupError) return error;
    throw error;
  }
  throw new Error('the check passed');
}

/** A server that is not RabbitMQ. */
async function otherServer(
  t: { teardown(end: () => void): void },
  greet: (socket: Socket) => void,
): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    greet(socket);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

t.test('a broker that is as configured', async (t) => {
  const { version } = await checkBroker(configOf(rabbit, { exchange: 'amq.topic' }));
  t.match(version, /^\d+\.\d+\.\d+/);
  const connection = await rabbit.connect();
  t.teardown(() => connection.close());
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await checkBroker(configOf(rabbit, { unroutable: { kind: 'queue', name: queue } }));
  await checkBroker(configOf(rabbit, { unroutable: { kind: 'exchange', name: 'amq.topic' } }));
});

t.test('what is wrong is said in one line that names the setting', async (t) => {
  const place = `${rabbit.host}:${rabbit.port}`;
  const cases: [Partial<RabbitmqConfig>, boolean, readonly RegExp[]][] = [
    [{ password: 'hush-hush' }, false, [/refuses the login of "/, /DALGA_RABBITMQ_PASSWORD/]],
    [{ user: 'nobody' }, false, [/login of "nobody"/, /DALGA_RABBITMQ_USER/]],
    [{ vhost: 'no%2fwhere' }, false, [/vhost "no%2fwhere"/, /DALGA_RABBITMQ_VHOST/]],
    [{ exchange: 'absent' }, false, [/no exchange "absent"/, /DALGA_RABBITMQ_EXCHANGE/]],
    [
      { unroutable: { kind: 'exchange', name: 'gone' } },
      ...([
        false,
        [/no exchange "gone" in its vhost "\/" for messages/, /DALGA_UNROUTABLE_EXCHANGE/],
      ] as const),
    ],
    [
      { unroutable: { kind: 'queue', name: 'gone' } },
      ...([false, [/no queue "gone" in its vhost "\/" for messages/, /DALGA_UNROUTABLE_QUEUE/]] as const),
    ],
  ];
  for (const [changes, transient, patterns] of cases) {
    const { message, transient: told } = await refusal(changes);
    t.match(message, new RegExp(place));
    for (const pattern of patterns) t.match(message, pattern);
    t.equal(told, transient);
    t.notMatch(message, /hush-hush|\n/);
  }
});

t.test('a vhost without permission', async (t) => {
  const user = rabbit.name('user');
  await rabbit.ctl('add_user', user, 'secret');
  t.teardown(() => rabbit.ctl('delete_user', user));
  const { message } = await refusal({ user, password: 'secret' });
  t.match(message, /refuses the vhost "\/" to the user .* no permission .*DALGA_RABBITMQ_VHOST/);
});

t.test('a server that cannot be reached may come later', async (t) => {
  const port = await otherServer(t, (socket) => socket.destroy());
  const hungUp = await refusal({ port });
  t.match(hungUp, { transient: true, message: /hung up during the handshake.*DALGA_RABBITMQ_PORT/ });
  const refused = await refusal({ port: 1 });
  t.match(refused, {
    transient: true,
    message: /127\.0\.0\.1:1 refuses the connection.*DALGA_RABBITMQ_PORT/,
  });
  const unknown = await refusal({ host: 'no-such-host.invalid' });
  t.match(unknown, { transient: true, message: /no-such-host\.invalid.*DALGA_RABBITMQ_HOST/ });
});

t.test('something else on the port', async (t) => {
  const port = await otherServer(t, (socket) =>
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'),
  );
  t.match(await refusal({ port }), { transient: false, message: /is not RabbitMQ's AMQP port/ });
});

t.test('a publisher tells of a refused login, and tries again', async (t) => {
  const reports = new Reports();
  const rabbitmq = configOf(rabbit, { password: 'hush-hush' });
  const publisher = startPublisher({ rabbitmq }, 0, reports.note);
  t.teardown(() => publisher.close());
  t.match(await reports.next('connection.changed'), {
    connected: false,
    blocked: false,
    reason: /refuses the login/,
  });
});
