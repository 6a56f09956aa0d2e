import { connect } from 'node:net';
import t from 'tap';
import { isRefusal, serve } from './harness.ts';

t.test('what Node refuses is a problem document too, and closes the connection', async (t) => {
  const served = await serve(t);
  const put = 'PUT /jobs/k/j?interval=60 HTTP/1.1\r\nHost: x\r\n';
  const cases: [name: string, bytes: string, status: number, code: string, detail: RegExp][] = [
    ['garbage', 'garbage\r\n\r\n', 400, 'malformed_request', /not HTTP\/1\.1/],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'malformed_request', /not HTTP\/1\.1/],
    [
      'a byte above 127 in the path',
      'GET /jobs/k/\xfc HTTP/1.1\r\nHost: x\r\n\r\n',
      400,
      'malformed_request',
      /./,
    ],
    ['HTTP/9', 'GET / HTTP/9.9\r\n\r\n', 400, 'malformed_request', /./],
    ['a header without a name', `${put}: x\r\n\r\n`, 400, 'malformed_request', /./],
    ['no Host', 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'malformed_request', /Host/],
    ['two lengths', `${put}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, 400, 'malformed_request', /./],
    [
      'length and chunks',
      `${put}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      'malformed_request',
      /./,
    ],
    [
      'a broken chunk',
      `${put}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
      400,
      'malformed_request',
      /./,
    ],
    ['large headers', `${put}X: ${'x'.repeat(140_000)}\r\n\r\n`, 431, 'headers_too_large', /131072 bytes/],
    [
      'a long path',
      `GET /jobs/k/${'x'.repeat(300_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      431,
      'headers_too_large',
      /131072 bytes/,
    ],
  ];
  for (const [name, bytes, status, code, detail] of cases) {
    await t.test(name, async (t) => {
      const answer = await served.raw(Buffer.from(bytes, 'latin1'));
      isRefusal(t, served, answer, { status, code, detail });
      t.equal(answer.headers.connection, 'close');
      t.equal(answer.headers['content-length'], String(Buffer.byteLength(answer.text)));
    });
  }
  t.equal((await served.ask({ path: '/healthz' })).status, 200, 'the process is as before');
});

t.test('a request that does not arrive in time', async (t) => {
  const served = await serve(t);
  served.app.server.headersTimeout = 50;
  served.app.server.requestTimeout = 100;
  isRefusal(t, served, await served.raw('PUT /jobs/k/j?interval=60 HTTP/1.1\r\nHost'), {
    status: 408,
    code: 'request_timeout',
    detail: /in time/,
  });
  const body = 'Content-Type: application/json\r\nContent-Length: 5\r\n\r\n{';
  isRefusal(t, served, await served.raw(`PUT /jobs/k/j?interval=60 HTTP/1.1\r\nHost: x\r\n${body}`), {
    status: 408,
    code: 'request_timeout',
    detail: /in time/,
  });
});

t.test('garbage after a request is not answered in its place', async (t) => {
  const served = await serve(t);
  const put = 'PUT /jobs/k/j?interval=60 HTTP/1.1\r\nHost: x\r\n\r\n';
  const answer = await served.raw(`${put}garbage\r\n\r\n`);
  t.match(
    answer,
    { status: 201, headers: { connection: 'close' } },
    'the request is answered, and it is the last',
  );
  t.notMatch(answer.text, /HTTP/, 'nothing follows');
  t.same(served.errors, []);
});

t.test('a client that closes its half of the connection after its request gets the answer', async (t) => {
  const served = await serve(t);
  const stored = served.jobs.put.bind(served.jobs);
  served.jobs.put = async (...args) => {
    await closed;
    return stored(...args);
  };
  const socket = connect({ port: served.port, host: '127.0.0.1', allowHalfOpen: true });
  const closed = new Promise((resolve) =>
    served.app.server.once('connection', (accepted) => accepted.once('end', () => setImmediate(resolve))),
  );
  socket.setEncoding('utf8').end('PUT /jobs/k/j?interval=60 HTTP/1.1\r\nHost: x\r\n\r\n');
  let received = '';
  for await (const text of socket) received += text;
  t.match(received, /^HTTP\/1\.1 201 /);
  t.equal(served.jobs.calls.length, 1);
});

t.test('Expect, and a client that goes away within its body', async (t) => {
  const served = await serve(t);
  const expecting =
    'PUT /jobs/k/j?interval=60 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: the-best\r\n\r\n';
  t.equal((await served.raw(expecting)).status, 201);
  served.jobs.calls.length = 0;

  const socket = connect(served.port, '127.0.0.1');
  const received = new Promise((resolve) => served.app.server.once('request', resolve));
  socket.write(
    'PUT /jobs/k/j HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{',
  );
  await received;
  socket.destroy();
  await served.ask({ path: '/healthz' });
  t.same(served.errors, [], 'nothing was logged as an error');
  t.same(served.jobs.calls, []);
});

t.test('pipelined requests are carried out one after another', async (t) => {
  const { port, jobs } = await serve(t);
  const put = jobs.put.bind(jobs);
  let release = () => {};
  const begun = new Promise<void>((resolve) => {
    jobs.put = async (...asked) => {
      resolve();
      await new Promise<void>((go) => {
        release = go;
      });
      return put(...asked);
    };
  });
  const socket = connect({ host: '127.0.0.1', port });
  const request = (method: string, query: string, header = '') =>
    `${method} /jobs/k/j${query} HTTP/1.1\r\nHost: x\r\n${header}\r\n`;
  socket.write(
    request('PUT', '?interval=60') + request('GET', '') + request('DELETE', '', 'Connection: close\r\n'),
  );
  await begun;
  t.same(jobs.calls, [], 'the GET waits for the PUT');
  release();
  let text = '';
  for await (const data of socket) text += data;
  t.same(
    [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
    ['201', '200', '204'],
  );
});
