import { readFileSync } from 'node:fs';
import t from 'tap';
import { freePorts } from '../src/quickstart/free-port.ts';
import { startDalga } from './helpers/dalga-process.ts';
import { listenTo } from './helpers/event-stream.ts';
import { parseExposition } from './helpers/exposition.ts';
import { type Service, startService } from './helpers/service.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/;

function send(service: Service, method: string, path: string, body?: object): Promise<Response> {
  return fetch(`${service.url}${path}`, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
}

async function metric(url: string, name: string): Promise<number | undefined> {
  return parseExposition(await (await fetch(`${url}/metrics`)).text()).samples.get(name);
}

t.test('what happens to jobs', async (t) => {
  const service = await startService(t);
  const { url, queue } = service;
  const all = await listenTo(`${url}/events`);
  const one = await listenTo(`${url}/events?type=cancelled,published&routing_key=${queue}`);
  const path = `/jobs/${queue}/1234`;
  const named = { job: '1234', routing_key: queue };

  await send(service, 'PUT', `${path}?interval=3600&immediate=true`);
  t.match(await all.next('scheduled'), {
    data: { type: 'scheduled', ...named, at: TIME, version: 1, enabled: true, next_run: TIME },
  });
  const [message] = await service.consumer.take(1);
  t.match(await all.next('published'), {
    id: Number,
    data: {
      ...{ type: 'published', ...named, at: TIME, scheduled_at: TIME, sent_at: TIME, late_ms: Number },
      ...{ count: 0, message_id: message!.properties.messageId },
    },
  });
  await send(service, 'PUT', `${path}?interval=3600`);
  await send(service, 'PATCH', path, { enabled: false });
  t.match(await all.next('changed'), { data: { ...named, version: 2, enabled: false, next_run: null } });
  await send(service, 'DELETE', path);
  t.match(await all.next('cancelled'), { data: { ...named, version: 2 } });

  await send(service, 'PUT', '/jobs/no-such-queue/5678', { interval: 3600, immediate: true, payload: '{}' });
  t.match(await all.next('returned'), {
    data: { job: '5678', routing_key: 'no-such-queue', exchange: '', rerouted: false, message_id: String },
  });
  await send(service, 'PUT', `/jobs/${queue}/once`, { one_off: true, immediate: true, payload: '{}' });
  t.match(await all.next('published', { job: 'once' }), { data: { late_ms: Number } });

  t.same(
    all.events.map(({ type }) => type),
    ['scheduled', 'published', 'changed', 'cancelled', 'scheduled', 'returned', 'scheduled', 'published'],
    'a PUT that changes nothing is no event, and no job that has run its last time is cancelled',
  );
  t.same(
    all.events.map(({ id }) => id),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
  await one.next('published', { job: 'once' });
  t.same(
    one.events.map(({ id }) => id),
    [2, 4, 8],
  );

  t.equal(await metric(url, 'dalga_event_listeners'), 2);
  const left = await Promise.all(Array.from({ length: 20 }, () => listenTo(`${url}/events`)));
  t.equal(await metric(url, 'dalga_event_listeners'), 22);
  for (const stream of left) stream.leave();
  while ((await metric(url, 'dalga_event_listeners')) !== 2) await new Promise(setImmediate);
  t.pass('those that are gone are forgotten');

  const stopped = service.instance.process.stop();
  t.ok(await all.ended, 'the stream ends in order');
  t.ok(await one.ended);
  t.equal(await stopped, 0, 'and the stop is a clean one');
});

t.test('what was missed', async (t) => {
  const service = await startService(t);
  const { url, queue, broker } = service;
  const exchange = broker.name('late');
  const connection = await broker.connect();
  const channel = await connection.createChannel();
  const declare = async () => {
    await channel.assertExchange(exchange, 'fanout');
    await channel.bindQueue(queue, exchange, '');
  };
  t.teardown(async () => {
    await channel.deleteExchange(exchange);
    await connection.close();
  });
  await declare();
  const stream = await listenTo(`${url}/events?type=misfired`);
  for (const [name, misfire] of [
    ['each', 'once'],
    ['none', 'skip'],
  ]) {
    t.equal(
      (await send(service, 'PUT', `/jobs/${queue}/${name}`, { interval: 1, exchange, misfire })).status,
      201,
    );
  }
  await service.consumer.take(2);
  await channel.deleteExchange(exchange);
  t.match(await stream.next('misfired', { job: 'none' }), {
    data: { outcome: 'skipped', count: Number, scheduled_at: TIME, routing_key: queue },
  });
  await declare();
  const caughtUp = await stream.next('misfired', { job: 'each' });
  t.match(caughtUp, { data: { outcome: 'caught_up', scheduled_at: TIME, late_ms: Number } });
  const id = caughtUp.data.message_id;
  while (!service.consumer.messages.some(({ properties }) => properties.messageId === id)) {
    await service.consumer.take(1);
  }
  const message = service.consumer.messages.find(({ properties }) => properties.messageId === id)!;
  t.equal(message.properties.headers?.['x-dalga-missed'], caughtUp.data.count);
});

t.test('a bulk load, and a great many messages, are sampled', async (t) => {
  const service = await startService(t);
  const { url, queue } = service;
  const stream = await listenTo(`${url}/events?type=scheduled,published`);
  const jobs = 20_000;
  const lines = Array.from({ length: jobs }, (_, at) =>
    JSON.stringify({ routing_key: queue, job: String(at), interval: 3600, immediate: true }),
  );
  const loaded = await fetch(`${url}/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
  t.match(await loaded.text(), /"created":20000/);
  await service.consumer.take(jobs, 60_000);
  const told = (type: string) => stream.events.filter((event) => event.type === type).length;
  const leftOut = (type: string) =>
    stream.events
      .filter((event) => event.type === 'sampled')
      .reduce((sum, { data }) => sum + ((data.left_out as Record<string, number>)[type] ?? 0), 0);
  for (const type of ['scheduled', 'published']) {
    while (told(type) + leftOut(type) < jobs) await new Promise(setImmediate);
    t.equal(told(type) + leftOut(type), jobs, 'each is told or counted');
    t.ok(leftOut(type) > jobs / 2, `${told(type)} of ${jobs} ${type} were told`);
  }
  t.equal(await metric(url, 'dalga_events_dropped_total'), 0);
});

t.test(
  'only the owner tells, and its streams end when it has lost the table',
  { timeout: 120_000 },
  async (t) => {
    const service = await startService(t, { DALGA_LEASE: '3s' });
    const { instance, settings, queue } = service;
    const [port] = (await freePorts(1)) as [number];
    const stream = await listenTo(`${service.url}/events`);
    // A standby is not ready: this rejects, or resolves, when it is the owner.
    const standby = `http://127.0.0.1:${port}`;
    instance.process.child.kill('SIGSTOP');
    const second = await startDalga(settings, port);
    t.teardown(() => second.process.kill());
    const other = await listenTo(`${standby}/events`);
    instance.process.child.kill('SIGCONT');
    t.ok(await stream.ended, 'the stream of the old owner ends');
    const refused = await fetch(`${service.url}/events`);
    t.equal(refused.status, 503);
    t.equal(refused.headers.get('retry-after'), '1');
    await fetch(`${standby}/jobs/${queue}/1?interval=3600&immediate=true`, { method: 'PUT' });
    t.match(await other.next('published'), { data: { job: '1' } });
  },
);

t.test("the README's example", async (t) => {
  const service = await startService(t);
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [, path, stream] =
    /curl -N 'http:\/\/127\.0\.0\.1:34006(\/events[^']*)'\n```\n\n```text\n([\s\S]*?)```/.exec(readme)!;
  const connection = await service.broker.connect();
  const channel = await connection.createChannel();
  await channel.assertQueue('check_feed');
  t.teardown(async () => {
    await channel.deleteQueue('check_feed');
    await connection.close();
  });
  const { next, events } = await listenTo(`${service.url}${path}`);
  await send(service, 'PUT', '/jobs/check_feed/1234?interval=60&immediate=true');
  await next('published');
  const plain = (text: string) =>
    text
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME')
      .replace(/"message_id":"[^"]+"/, '"message_id":"ID"')
      .replace(/"late_ms":\d+/, '"late_ms":MS');
  const shown = events.map(
    ({ type, id, data }) => `event: ${type}\nid: ${id}\ndata: ${JSON.stringify(data)}\n`,
  );
  t.equal(plain(shown.join('\n')), plain(stream!));
});
