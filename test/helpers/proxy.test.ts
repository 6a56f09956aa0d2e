import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { startProxy, type TcpProxy } from './proxy.ts';

type World = {
  readonly proxy: TcpProxy;
  readonly dial: () => Socket;
  readonly accepted: () => Promise<Socket>;
};

/** A server that says nothing by itself, and the proxy in front of it. */
async function world(t: Test): Promise<World> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy = await startProxy({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  const sockets: Socket[] = [];
  const keep = (socket: Socket): Socket => {
    sockets.push(socket.on('error', () => {}));
    return socket;
  };
  server.on('connection', keep);
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await proxy.close();
    server.close();
  });
  return {
    proxy,
    dial: () => keep(connect(proxy.port, '127.0.0.1')),
    accepted: async () => (await once(server, 'connection'))[0] as Socket,
  };
}

async function pair({ dial, accepted }: World): Promise<{ client: Socket; server: Socket }> {
  const client = dial();
  return { client, server: await accepted() };
}

async function heard(socket: Socket): Promise<string> {
  return String((await once(socket, 'data'))[0]);
}

t.test('it passes on what either side says, and the end of either', async (t) => {
  const net = await world(t);
  const { client, server } = await pair(net);
  client.write('a question');
  t.equal(await heard(server), 'a question');
  server.write('an answer');
  t.equal(await heard(client), 'an answer');
  const closed = once(client, 'close');
  server.destroy();
  await closed;
  t.equal(net.proxy.made, 1);
});

t.test('a slow network keeps the order', async (t) => {
  const net = await world(t);
  const { client, server } = await pair(net);
  const begun = performance.now();
  net.proxy.delay(50);
  const onItsWay = new Promise<void>((resolve) => net.proxy.listen(() => resolve()));
  client.write('first ');
  await onItsWay;
  net.proxy.delay(0);
  client.write('second');
  let text = await heard(server);
  while (text.length < 12) text += await heard(server);
  t.equal(text, 'first second');
  t.ok(performance.now() - begun >= 49);
});

t.test('a black hole is for ever for the connections that met it, and tells nobody of an end', async (t) => {
  const net = await world(t);
  const { client, server } = await pair(net);
  net.proxy.blackHole(true);
  let told = false;
  const note = (): void => {
    told = true;
  };
  client.on('data', note).on('close', note);
  server.on('data', note);
  client.write('lost');
  server.write('lost');
  const late = await pair(net);
  late.server.on('data', note);
  late.client.write('lost');
  server.destroy();
  net.proxy.blackHole(false);
  client.write('lost too');
  late.client.write('lost too');
  const { client: next, server: itsServer } = await pair(net);
  next.write('heard');
  t.equal(await heard(itsServer), 'heard');
  t.notOk(told);
});

t.test('after a power cut the server knows nothing, and the client is not told', async (t) => {
  const net = await world(t);
  const { client, server } = await pair(net);
  const gone = once(server, 'close');
  let told = false;
  client.on('close', () => {
    told = true;
  });
  net.proxy.halfOpen();
  await gone;
  client.write('lost');
  const { client: next, server: itsServer } = await pair(net);
  next.write('heard');
  t.equal(await heard(itsServer), 'heard');
  t.notOk(told);
});

t.test('a listener can make the piece that it hears vanish', async (t) => {
  const net = await world(t);
  const { client, server } = await pair(net);
  net.proxy.listen((from, data) => {
    if (from === 'client' && data.includes('COMMIT')) net.proxy.cut();
  });
  const closed = once(client, 'close');
  let told = '';
  server.on('data', (data) => {
    told += data;
  });
  client.write('BEGIN');
  await once(server, 'data');
  client.write('COMMIT');
  await closed;
  t.equal(told, 'BEGIN');
});

t.test('a listener can hold a piece back, on one connection alone', async (t) => {
  const net = await world(t);
  const { client, server } = await pair(net);
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  net.proxy.listen((from, data, connection) =>
    connection === 1 && from === 'client' && data.includes('COMMIT') ? released : null,
  );
  let told = '';
  server.on('data', (data) => {
    told += data;
  });
  client.write('BEGIN ');
  await once(server, 'data');
  client.write('COMMIT ');
  await new Promise(setImmediate);
  client.end('and more');
  const other = await pair(net);
  other.client.write('COMMIT');
  t.equal(await heard(other.server), 'COMMIT');
  t.equal(told, 'BEGIN ', 'the server has not heard of the end either');
  release();
  await once(server, 'close');
  t.equal(told, 'BEGIN COMMIT and more', 'it arrives, although the client has gone');
});

t.test('connections that are refused', async (t) => {
  const net = await world(t);
  net.proxy.refuse(true);
  await once(net.dial(), 'close');
  t.equal(net.proxy.made, 0);
  net.proxy.refuse(false);
  const { client, server } = await pair(net);
  client.write('heard');
  t.equal(await heard(server), 'heard');
});
