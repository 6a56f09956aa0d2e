import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { answersTaken } from '../../../src/main-thread/http/answers-taken.ts';
import { ManualTime } from '../../helpers/manual-time.ts';

/** A server that has closed its door, and one client of it, whose request is not answered yet. */
async function setUp(t: Test) {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = connect(port, '127.0.0.1');
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const [request, response] = (await once(server, 'request')) as [{ socket: Socket }, ServerResponse];
  server.close();
  t.teardown(() => {
    client.destroy();
    server.closeAllConnections();
  });
  const time = new ManualTime(0);
  const begin = (patience = 10_000) => {
    let over = false;
    const taken = answersTaken(server, {
      ...{ clock: time, timers: time, deadline: time.monotonic() + patience },
    }).then(() => {
      over = true;
    });
    return { taken, isOver: () => over };
  };
  return { client, response, gone: once(request.socket, 'close'), time, begin };
}

t.test('a stop waits for a client that still reads, and no longer than that', async (t) => {
  const { client, gone, time, begin } = await setUp(t);
  const { taken, isOver } = begin();
  await time.advance(490);
  t.notOk(isOver());
  client.destroy();
  await gone;
  await time.advance(9);
  t.notOk(isOver());
  await time.advance(1);
  await taken;
});

t.test('a client that has its answer is not waited for', async (t) => {
  const { client, response, gone, time, begin } = await setUp(t);
  response.end('done');
  await once(client, 'data');
  const { taken } = begin();
  await gone;
  await time.advance(10);
  await taken;
  t.equal(time.monotonic(), 1010, 'it is looked for once more');
  await begin().taken;
  t.equal(time.monotonic(), 1010, 'and without anybody at all nothing is waited for');
});

t.test('one that does not read is given up after half a second, and never after the deadline', async (t) => {
  const { time, begin } = await setUp(t);
  const patient = begin();
  const hurried = begin(100);
  await time.advance(99);
  t.notOk(hurried.isOver());
  await time.advance(1);
  await hurried.taken;
  await time.advance(399);
  t.notOk(patient.isOver());
  await time.advance(1);
  await patient.taken;
  await begin(0).taken;
  t.equal(time.monotonic(), 1500);
});
