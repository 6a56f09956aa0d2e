import { once } from 'node:events';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { EVENT_LIMITS, EventHub } from '../../../src/main-thread/events.ts';
import { ManualTime } from '../../helpers/manual-time.ts';
import { intervalRow } from '../../helpers/rows.ts';
import { NOW, type Served, serve } from './harness.ts';

async function serveEvents(
  t: Test,
  limits = EVENT_LIMITS,
): Promise<Served & { hub: EventHub; time: ManualTime }> {
  const time = new ManualTime(NOW);
  const hub = new EventHub({
    ...{ clock: time, timers: time, log: { error: (entry: unknown) => t.fail(String(entry)) }, limits },
    names: async () => new Map(),
  });
  const events = {
    check: () => {},
    listen: (...args: Parameters<EventHub['listen']>) => hub.listen(...args),
  };
  return { ...(await serve(t, { events })), hub, time };
}

const job = (name: string, key = 'check_feed') => intervalRow(1, 60_000, NOW + 60_000, { key, name });

/** A connection that reads only what it is asked to. */
function listenRaw(t: Test, port: number, path = '/events') {
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  return socket;
}

/** Resolves once so many listen. */
async function untilListening(hub: EventHub, count: number): Promise<void> {
  while (hub.counts.listeners !== count) await new Promise(setImmediate);
}

t.test('the stream of a listener', async (t) => {
  const { port, hub, time } = await serveEvents(t);
  const leaving = new AbortController();
  const answer = await fetch(`http://127.0.0.1:${port}/events?type=scheduled,changed&routing_key=k`, {
    headers: { 'last-event-id': '17' },
    signal: leaving.signal,
  });
  t.equal(answer.status, 200);
  t.equal(answer.headers.get('content-type'), 'text/event-stream');
  t.equal(answer.headers.get('cache-control'), 'no-store');
  t.equal(answer.headers.get('x-accel-buffering'), 'no');
  hub.changed([
    { type: 'scheduled', row: job('a') },
    { type: 'scheduled', row: job('b', 'k') },
    { type: 'cancelled', row: job('c', 'k') },
  ]);
  let text = '';
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  while (!text.includes('data: ')) text += (await reader.read()).value;
  t.match(text, /^:\n\nevent: scheduled\nid: 1\ndata: \{"type":"scheduled","at":"[^"]+","job":"b",/);
  await time.advance(15_000);
  text = '';
  while (text.length < 3) text += (await reader.read()).value;
  t.equal(text, ':\n\n', 'the heartbeat');
  leaving.abort();
  await untilListening(hub, 0);
  t.notOk(hub.heard, 'a listener that leaves is gone');
});

t.test('a listener that is gone without a word, or with a half of its connection', async (t) => {
  const { port, hub } = await serveEvents(t);
  const [first, second] = [listenRaw(t, port), listenRaw(t, port)];
  await untilListening(hub, 2);
  first.resetAndDestroy();
  await untilListening(hub, 1);
  second.end();
  await untilListening(hub, 0);
  t.pass();
});

t.test('a listener that reads nothing has no more than the limit in memory', async (t) => {
  const { port, hub, app } = await serveEvents(t);
  const [server] = (await Promise.all([once(app.server, 'connection'), listenRaw(t, port)]))[0];
  await untilListening(hub, 1);
  // Of 120,000 bytes as JSON.
  const row = job('\u0001'.repeat(20_000));
  let most = 0;
  // The sample lets a hundred through, of which the socket takes some.
  for (let count = 0; count < 100; count++) {
    hub.changed([{ type: 'changed', row }]);
    most = Math.max(most, server.writableLength);
    await new Promise(setImmediate);
  }
  t.ok(most <= EVENT_LIMITS.buffer + 1000, `${most} bytes`);
  t.ok(hub.counts.dropped > 0);
  hub.end();
});

t.test('refusals', async (t) => {
  const { ask, hub } = await serveEvents(t, { listeners: 0, buffer: 1000 });
  for (const [query, parameter] of [
    ['type=publish', 'type'],
    ['type=', 'type'],
    ['type=published,,returned', 'type'],
    ['type=published&type=returned', 'type'],
    ['routing_key=', 'routing_key'],
    ['routingkey=a', 'routingkey'],
  ] as const) {
    for (const method of ['GET', 'HEAD']) {
      const answer = await ask({ method, path: `/events?${query}` });
      t.equal(answer.status, 400, `${method} ${query}`);
      if (method === 'GET') t.match(answer.body, { parameter }, query);
    }
  }
  t.match(await ask({ path: '/events', headers: { accept: 'application/json' } }), {
    ...{ status: 406, body: { code: 'not_acceptable' } },
  });
  t.match(await ask({ path: '/events', headers: { 'content-length': '1' }, body: 'x' }), {
    status: 400,
    body: { code: 'malformed_request' },
  });
  t.match(await ask({ path: '/events' }), {
    ...{ status: 503, body: { code: 'too_many_listeners' }, headers: { 'retry-after': '1' } },
  });
  t.match(await ask({ path: '/events', method: 'POST' }), { status: 405, headers: { allow: 'GET, HEAD' } });
  t.match(await ask({ path: '/events', method: 'HEAD' }), {
    ...{
      status: 200,
      text: '',
      headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
    },
  });
  t.equal(hub.counts.listeners, 0);
  const standby = await serve(t);
  for (const method of ['GET', 'HEAD']) t.equal((await standby.ask({ method, path: '/events' })).status, 503);
  t.match(await standby.ask({ path: '/events' }), { body: { code: 'not_owner' } });
});

t.test('a stop does not wait for those who listen', async (t) => {
  const { app, port, hub } = await serveEvents(t);
  const socket = listenRaw(t, port).setEncoding('utf8');
  await untilListening(hub, 1);
  hub.end();
  const closed = app.close();
  let text = '';
  for await (const chunk of socket) text += chunk;
  t.match(text, /\r\n0\r\n\r\n$/, 'it ends in order');
  await closed;
});
