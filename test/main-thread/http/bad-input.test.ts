import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { damagedRequest, tameRequest, type WildRequest, wildRequest } from '../../helpers/bad-requests.ts';
import { exchange, type Manner, readAnswers, type WireAnswer } from '../../helpers/http-wire.ts';
import { type Held, held } from '../../helpers/leaks.ts';
import { LIMITS, type Served, serve } from './harness.ts';

/** Fixed, so that a failure can be repeated; fast-check names it with the path to the smallest case. */
const SEED = 20_141_111;

/** What may be done to a job while it is answered with a refusal: asked for, in vain. */
const IN_VAIN = [404, 412];

/** MiB that the heap may have grown by after thousands of requests: one KiB for each that leaked would be more. */
const HEAP_GROWTH = 2;

async function check<T>(
  arbitrary: fc.Arbitrary<T>,
  runs: number,
  predicate: (value: T) => Promise<void>,
): Promise<void> {
  await fc.assert(fc.asyncProperty(arbitrary, predicate), { seed: SEED, numRuns: runs, endOnFailure: false });
}

/** Every answer is one that a client's fault explains, whole, and a problem document where it is a refusal. */
function judge(answers: readonly WireAnswer[]): void {
  for (const { status, headers, body } of answers) {
    if (status < 200 || status >= 500) throw new Error(`answered with ${status}: ${body}`);
    if (status < 400 || headers.get('content-length') === '0') continue;
    const type = headers.get('content-type');
    if (type !== 'application/problem+json') throw new Error(`a ${status} of the type ${type}`);
    if (body === '') continue; // to a HEAD
    const problem = JSON.parse(Buffer.from(body, 'latin1').toString('utf8')) as Record<string, unknown>;
    if (problem.status !== status) throw new Error(`a ${status} says ${body}`);
    if (body.length > 2000) throw new Error(`a refusal of ${body.length} bytes echoes what was sent`);
  }
}

function noErrors({ errors }: Served): void {
  if (errors.length > 0) throw errors[0];
}

/** Answers without their order being known: which of them a HEAD has does not matter to their status. */
function statusesOf(received: string): number[] {
  return [...received.matchAll(/(?:^|[}\n])HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}

/** A service in which all that thousands of requests need once, and keep, is there already. */
async function warm(t: Test, options: Parameters<typeof serve>[1] = {}): Promise<Served> {
  const served = await serve(t, options);
  for (const path of ['/', '/docs', '/docs/json', '/openapi.json', '/metrics', '/healthz', '/readyz']) {
    await served.ask({ path });
  }
  return served;
}

/** Resolves when the server has no connection any more. */
async function allClosed({ app }: Served): Promise<void> {
  const count = () =>
    new Promise<number>((resolve, reject) => {
      app.server.getConnections((error, connections) => (error ? reject(error) : resolve(connections)));
    });
  while ((await count()) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Does something by the thousand between two looks at what the process holds; its beginning is a warm-up. */
async function withoutLeak(t: Test, served: Served, work: (share: number) => Promise<void>): Promise<void> {
  await work(0.3);
  await allClosed(served);
  served.jobs.rows.clear();
  served.jobs.calls.length = 0;
  const before = await held();
  await work(1);
  await allClosed(served);
  served.jobs.rows.clear();
  served.jobs.calls.length = 0;
  const after = await heldAgain(before);
  t.ok(after.heap - before.heap < HEAP_GROWTH, growth(before, after));
  t.same(after.resources, before.resources, 'what keeps the process alive is as before');
}

/** What is held once it is as little as before, or for good: sockets and their buffers end in turns of their own. */
async function heldAgain(before: Held): Promise<Held> {
  let after = await held();
  for (let look = 0; look < 40 && after.heap - before.heap >= HEAP_GROWTH; look++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    after = await held();
  }
  return after;
}

function growth(before: Held, after: Held): string {
  return `the heap had ${before.heap.toFixed(1)} MiB, and has ${after.heap.toFixed(1)}`;
}

t.test('any bytes in path, query, headers and body, to every route', async (t) => {
  const served = await warm(t);
  const counts = new Map<number, number>();
  for (const job of ['k', 'a']) await served.ask({ method: 'PUT', path: `/jobs/k/${job}?interval=60` });
  const there = [...served.jobs.rows];
  const one = async ({ method, bytes }: WildRequest): Promise<void> => {
    served.jobs.rows.clear();
    for (const [key, row] of there) served.jobs.rows.set(key, row);
    served.jobs.calls.length = 0;
    const answers = readAnswers(await exchange(served.port, bytes), [method === 'HEAD']);
    judge(answers);
    noErrors(served);
    const [first] = answers;
    if (first === undefined) throw new Error('no answer');
    counts.set(first.status, (counts.get(first.status) ?? 0) + 1);
    const asked = served.jobs.calls.length > 0;
    // A POST or PATCH can be in the wrong in what only the stored job tells.
    if (
      first.status >= 400 &&
      asked &&
      !IN_VAIN.includes(first.status) &&
      !['POST', 'PATCH'].includes(method)
    ) {
      throw new Error(`refused with ${first.status}, and yet carried out`);
    }
    if (first.status < 300 && method === 'PUT' && !asked) throw new Error('answered, and not carried out');
  };
  await withoutLeak(t, served, (share) => check(wildRequest, Math.round(3000 * share), one));
  for (const status of [200, 201, 204, 302, 400, 404, 405, 413, 415]) {
    t.ok((counts.get(status) ?? 0) > 0, `${status}: ${counts.get(status) ?? 0} times`);
  }
});

t.test('damaged requests, and bytes that never were one', async (t) => {
  const served = await warm(t);
  const arbitrary = fc.oneof(damagedRequest, fc.uint8Array({ minLength: 1, maxLength: 200 }));
  const counts = new Map<number, number>();
  await withoutLeak(t, served, (share) =>
    check(arbitrary, Math.round(800 * share), async (bytes) => {
      for (const status of statusesOf(await exchange(served.port, bytes))) {
        if (status >= 500) throw new Error(`answered with ${status}`);
        counts.set(status, (counts.get(status) ?? 0) + 1);
      }
      noErrors(served);
    }),
  );
  for (const status of [200, 400, 405]) t.ok((counts.get(status) ?? 0) > 0, `${status}`);
});

t.test(
  'pipelined requests are answered in their order, up to the one that ends the connection',
  async (t) => {
    const served = await warm(t);
    const requests = fc.array(tameRequest, { minLength: 1, maxLength: 30, size: 'max' });
    let most = 0;
    await withoutLeak(t, served, (share) =>
      check(fc.tuple(requests, fc.boolean()), Math.round(150 * share), async ([all, garbage]) => {
        served.jobs.rows.clear();
        const bytes = all.map((request) => request.bytes);
        if (garbage) bytes.push(Buffer.from('garbage\r\n\r\n'));
        const received = await exchange(served.port, Buffer.concat(bytes));
        const answers = readAnswers(
          received,
          all.map(({ method }) => method === 'HEAD'),
        );
        judge(answers);
        noErrors(served);
        most = Math.max(most, answers.length);
        const stored = new Set<string>();
        const expected = all.map(({ method, bytes: text }) => {
          const job = text.toString().slice(0, 20).split('/')[3]?.[0] ?? '';
          const was = stored.has(job);
          if (method === 'PUT') stored.add(job);
          if (method === 'DELETE') stored.delete(job);
          if (method === 'PUT') return was ? 200 : 201;
          return was ? (method === 'DELETE' ? 204 : 200) : 404;
        });
        const statuses = answers.map(({ status }) => status);
        // Garbage behind a request is answered in its own place, or by the end of the connection after the request.
        const whole = garbage ? statuses.slice(0, all.length) : statuses;
        if (
          whole.join() !== expected.slice(0, whole.length).join() ||
          (!garbage && whole.length < all.length)
        ) {
          throw new Error(`answered ${statuses}, expected ${expected}`);
        }
      }),
    );
    t.ok(most > 20, 'many in one go');
  },
);

t.test('requests in pieces of any size, and those that break off anywhere', async (t) => {
  const served = await warm(t);
  const manner = fc.record({
    piece: fc.integer({ min: 1, max: 200 }),
    breakOff: fc.option(fc.nat({ max: 400 })),
  });
  let broken = 0;
  await withoutLeak(t, served, (share) =>
    check(
      fc.tuple(fc.oneof(tameRequest, wildRequest), manner),
      Math.round(400 * share),
      async ([request, how]) => {
        const { method, bytes } = request;
        if (bytes.length > 10_000) return; // one packet for each piece
        const options: Manner = {
          piece: how.piece,
          ...(how.breakOff === null ? {} : { breakOffAt: how.breakOff }),
        };
        const received = await exchange(served.port, bytes, options);
        noErrors(served);
        if (how.breakOff !== null && how.breakOff < bytes.length) {
          broken++;
          for (const status of statusesOf(received))
            if (status >= 500) throw new Error(`answered with ${status}`);
        } else {
          judge(readAnswers(received, [method === 'HEAD']));
        }
      },
    ),
  );
  t.ok(broken > 50, `${broken} broke off`);
  t.equal((await served.ask({ path: '/healthz' })).status, 200);
});

/** Short ones, so that what runs into them does so within a test. */
const IMPATIENT = { ...LIMITS, requestTimeout: 400, keepAliveTimeout: 200 };

t.test('slow and half-open connections are ended, and others do not notice', async (t) => {
  const served = await warm(t, { limits: IMPATIENT });
  const text = 'PUT /jobs/k/slow?interval=60 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n';
  const open = async (): Promise<{ socket: Socket; all: Promise<string> }> => {
    const socket = connect({ port: served.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {});
    await once(socket, 'connect');
    let received = '';
    socket.setEncoding('latin1').on('data', (data) => {
      received += data;
    });
    socket.once('end', () => socket.end());
    return { socket, all: once(socket, 'close').then(() => received) };
  };
  const dripping = async (bytes: string): Promise<string> => {
    const { socket, all } = await open();
    let at = 0;
    const drip = setInterval(() => socket.writable && socket.write(bytes[at++ % bytes.length]!), 20);
    const received = await all;
    clearInterval(drip);
    return received;
  };
  await withoutLeak(t, served, async () => {
    const slow: Promise<string>[] = [];
    for (let count = 0; count < 20; count++) {
      slow.push(dripping(text.slice(0, 60))); // a request line and headers that never end
      slow.push(dripping('GET /healthz HTTP/1.1\r\nX: '));
      const body = await open();
      body.socket.write(`${text}x`); // a body that does not come
      slow.push(body.all);
      const silent = await open(); // nothing at all
      slow.push(silent.all);
    }
    for (let count = 0; count < 20; count++) {
      t.equal((await served.ask({ path: '/healthz' })).status, 200, 'others are answered meanwhile');
    }
    for (const received of await Promise.all(slow)) {
      const statuses = statusesOf(received);
      t.ok(
        statuses.every((status) => status === 408 || status === 400),
        `ended with ${statuses}`,
      );
    }
    // Connections that were of use, and are idle.
    const idle = await Promise.all(Array.from({ length: 20 }, open));
    for (const { socket } of idle) socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    for (const { all } of idle)
      t.same(statusesOf(await all), [200], 'answered, kept, and ended when it was idle');
    served.jobs.rows.clear();
  });
  t.same(served.errors, []);
});

t.test('a client that never reads its answers is ended, and costs little meanwhile', async (t) => {
  const served = await warm(t, { limits: IMPATIENT });
  const request = 'GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n';
  let answered = 0;
  served.app.server.on('request', () => {
    answered++;
  });
  await withoutLeak(t, served, async () => {
    answered = 0;
    const socket = connect(served.port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.pause();
    socket.write(request.repeat(20_000));
    await allClosed(served);
    socket.destroy();
    t.ok(answered < 5000, `${answered} of 20,000 requests were looked at`);
  });
});

t.test('connections beyond the limit are closed, with one warning', async (t) => {
  const served = await serve(t, { limits: { ...LIMITS, maxConnections: 3 } });
  const sockets = [];
  for (let count = 0; count < 3; count++) {
    const socket = connect(served.port, '127.0.0.1').setEncoding('latin1');
    sockets.push(socket);
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    t.match((await once(socket, 'data'))[0], /^HTTP\/1\.1 200 /);
  }
  for (let count = 0; count < 5; count++) {
    const socket = connect(served.port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'close');
  }
  t.same(served.warnings, [{ dropped: 1 }]);
  sockets[0]!.destroy();
  await once(sockets[0]!, 'close');
  while ((await served.ask({ path: '/healthz' }).catch(() => null))?.status !== 200);
  t.pass('and when one has gone, the next is served');
  for (const socket of sockets) socket.destroy();
});

t.test('headers up to the limit, and beyond it', async (t) => {
  const served = await warm(t, { limits: { ...LIMITS, headerLimit: 16 * 1024 } });
  const sizes = fc.tuple(fc.integer({ min: 0, max: 64 * 1024 }), fc.integer({ min: 1, max: 40 }));
  await withoutLeak(t, served, (share) =>
    check(sizes, Math.round(200 * share), async ([size, count]) => {
      const value = 'x'.repeat(Math.ceil(size / count));
      const fields = Array.from({ length: count }, (_, index) => `X-${index}: ${value}\r\n`).join('');
      const text = `GET /healthz HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
      const answers = readAnswers(await exchange(served.port, Buffer.from(text)), []);
      const expected = text.length < 15 * 1024 ? 200 : text.length > 17 * 1024 ? 431 : answers[0]?.status;
      if (answers[0]?.status !== expected) throw new Error(`${text.length} bytes: ${answers[0]?.status}`);
      judge(answers);
    }),
  );
});
