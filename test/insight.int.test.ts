import t from 'tap';
import { startService } from './helpers/service.ts';

t.test('why a job ran or did not, what is to come, and how the instance is', async (t) => {
  const service = await startService(t);
  const { url, queue, consumer } = service;
  const ask = async (method: string, path: string, body?: object) => {
    const answer = await fetch(`${url}${path}`, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return (await answer.json()) as Record<string, unknown>;
  };
  const key = `/jobs/${queue}`;
  await ask('PUT', `${key}/one?interval=3600&immediate=true`);
  await ask('PUT', '/jobs/no-such-queue/two?interval=3600&immediate=true');
  await consumer.take(1);

  const published = await untilMatch(() => ask('GET', `${key}/one/history`), /was published, \d+ ms after/);
  t.match(published, { job: 'one', routing_key: queue, why: /^Its next run is at /, next_run: String });
  t.match(published.entries, [{ event: 'published', late_ms: Number, sent_at: String, count: 0 }]);
  const returned = await untilMatch(() => ask('GET', '/jobs/no-such-queue/two/history'), /gave it back/);
  t.match(returned.entries, [{ event: 'returned' }]);
  await ask('PATCH', `${key}/one`, { enabled: false, note: 'moving' });
  t.match(await ask('GET', `${key}/one/history`), {
    why: /^It is paused since .* \(moving\)/,
    next_run: null,
  });
  await ask('PATCH', `${key}/one`, { enabled: true });

  const forecast = await ask('GET', '/forecast?step=600');
  t.match(forecast, { sampled: 1, step: 600, total: 20, steps: Array, routes: [{}, {}] });
  t.equal((forecast.steps as number[]).length, 60);

  const schedules = [
    { routing_key: queue, count: 200_000, interval: 300, phase: 'spread' },
    { routing_key: 'another', count: 7, interval: 600 },
  ];
  const range = { from: forecast.from, to: forecast.to, step: 600 };
  const { added, ...stored } = await ask('POST', '/forecast', { ...range, schedules });
  t.same(stored, forecast, 'what is stored is told as ever');
  t.match(added, {
    ...{ sampled: 1, steps: Array, routes: [{ routing_key: queue }, { routing_key: 'another' }] },
  });
  const { steps } = added as { steps: number[] };
  t.same(new Set(steps.slice(1, -1)), new Set([400_007]));
  t.same(
    await ask('GET', `/forecast?from=${range.from}&to=${range.to}&step=600`),
    forecast,
    'nothing is stored',
  );
  t.match(await ask('POST', '/forecast', { schedules: [...schedules, { routing_key: 'k', interval: -1 }] }), {
    ...{ status: 400, code: 'invalid_parameter', parameter: 'schedules[2].interval' },
  });

  const status = await ask('GET', '/status');
  t.match(status, {
    ...{ lease: 'owner', ready: true, owner: / at 127\.0\.0\.1:/, epoch: 1, jobs: 2, due: 0 },
    lateness: { count: 2, p50_ms: Number, max_ms: Number },
    balance: { due: 2, confirmed: 1, returned: 1 },
    versions: { dalga: /^\d/, mysql: /^\d+\./, rabbitmq: /^\d+\./ },
  });
});

t.test('what a job gives its messages', async (t) => {
  const service = await startService(t);
  const { url, queue, consumer } = service;
  const put = (name: string, body: object, headers: Record<string, string> = {}) =>
    fetch(`${url}/jobs/${queue}/${name}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ interval: 3600, immediate: true, ...body }),
    });
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const given = {
    ...{ payload: 'AAH/', payload_encoding: 'base64', content_type: 'application/octet-stream' },
    headers: { source: 'feeds', depth: 2, ratio: 0.5, on: true, list: [1, 'a'], none: null },
    ...{ priority: 7, expiration: 'PT2H', correlation_id: 'c-1', reply_to: 'answers', type: 'feed.check' },
  };
  const stored = await put('1', given, { traceparent });
  t.equal(stored.status, 201, await stored.clone().text());
  t.match(await stored.json(), { ...given, expiration: 7200 });
  const [message] = await consumer.take(1);
  t.same([...message!.content], [0, 1, 255]);
  const { properties } = message!;
  t.match(properties, {
    contentType: 'application/octet-stream',
    ...{ priority: 7, expiration: '7200000', correlationId: 'c-1', replyTo: 'answers', type: 'feed.check' },
    ...{ appId: 'dalga', deliveryMode: 2 },
    headers: { ...given.headers, traceparent, 'x-dalga-scheduled-at': Number },
  });

  const again = await put('1', { ...given, immediate: false });
  t.equal(again.headers.get('etag'), stored.headers.get('etag'), 'a PUT that is equal writes nothing');
  t.equal((await put('2', { exchange: 'no-such-exchange' })).status, 400);
  t.match(await (await put('2', { exchange: 'no-such-exchange' })).json(), {
    ...{ code: 'invalid_parameter', parameter: 'exchange', detail: /no exchange 'no-such-exchange'/ },
  });
  t.equal((await put('3', { exchange: 'amq.direct' })).status, 201);
});

t.test('a cron job of each second, paused and ended', async (t) => {
  const service = await startService(t);
  const { url, queue, consumer } = service;
  const put = await fetch(`${url}/jobs/${queue}/cron`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ cron: '* * * * * *', max_runs: 3 }),
  });
  t.equal(put.status, 201);
  const messages = await consumer.take(3);
  const times = messages.map(({ properties }) => Number(properties.headers?.['x-dalga-scheduled-at']));
  t.ok(times.every((time) => time % 1000 === 0));
  t.equal(new Set(times).size, 3);
  t.equal(messages[0]!.properties.expiration, '1000');
  while ((await fetch(`${url}/jobs/${queue}/cron`)).status !== 404)
    await new Promise((go) => setTimeout(go, 20));
  t.pass('it is removed after its last run');
});

async function untilMatch(
  ask: () => Promise<Record<string, unknown>>,
  why: RegExp,
): Promise<Record<string, unknown>> {
  for (;;) {
    const answer = await ask();
    if (why.test(String(answer.why))) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
