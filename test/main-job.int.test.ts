import t from 'tap';
import { scheduledAt, startService } from './helpers/service.ts';

/** The original's example, followed to the letter: a minute passes before the first message comes. */
t.test('PUT, a message, POST, DELETE', { timeout: 180_000 }, async (t) => {
  const service = await startService(t);
  const job = `${service.url}/jobs/${service.queue}/1234`;
  const before = Date.now();

  const put = await fetch(`${job}?interval=60`, { method: 'PUT' });
  const body = await put.text();
  t.equal(put.status, 201);
  t.equal(put.headers.get('content-type'), 'application/json');
  const view = JSON.parse(body);
  t.equal(
    body,
    `{"job":"1234","routing_key":"${service.queue}","interval":60,"next_run":"${view.next_run}"}`,
    'the four keys in their order, and nothing else',
  );
  t.match(view.next_run, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

  const get = await fetch(job);
  t.equal(get.status, 200);
  t.equal(await get.text(), body);

  const message = await service.consumer.next(70_000);
  const at = scheduledAt(message);
  t.ok(at >= before + 60_000 && at <= before + 65_000);
  t.equal(`${new Date(at).toISOString().slice(0, 19)}Z`, view.next_run);
  t.equal(message.content.toString(), '1234');
  t.match(message.fields, { routingKey: service.queue, exchange: '' });
  t.match(message.properties, {
    expiration: '60000',
    deliveryMode: 2,
    appId: 'dalga',
    timestamp: Math.floor(at / 1000),
    messageId: /^[a-z0-9]{4}\.[a-z0-9]+\.[a-z0-9]+$/,
  });
  t.same(message.properties.headers, { 'x-dalga-scheduled-at': at });

  const changedAt = Date.now();
  const post = await fetch(`${job}?interval=15`, { method: 'POST' });
  t.equal(post.status, 200);
  t.match(await post.json(), { job: '1234', routing_key: service.queue, interval: 15 });
  const second = await service.consumer.next(20_000);
  t.ok(scheduledAt(second) >= changedAt + 15_000, 'planned anew from the time of the POST');
  t.equal(second.properties.expiration, '15000');

  const gone = await fetch(job, { method: 'DELETE' });
  t.equal(gone.status, 204);
  t.equal(await gone.text(), '');
  t.equal((await fetch(job)).status, 404);
  t.equal((await fetch(job, { method: 'DELETE' })).status, 404);

  // Another job's messages tell the time: none of the cancelled job's may be among them.
  await fetch(`${service.url}/jobs/${service.queue}/ticker?interval=1`, { method: 'PUT' });
  const later = await service.consumer.take(17, 30_000);
  t.same([...new Set(later.map(({ content }) => content.toString()))], ['ticker']);

  t.equal(await service.instance.process.stop(), 0, 'a clean stop');
});

t.test('parameters in a form body, and in a JSON body', async (t) => {
  const service = await startService(t);
  const form = await fetch(`${service.url}/jobs/${service.queue}/form`, {
    method: 'PUT',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'interval=1',
  });
  t.equal(form.status, 201);
  t.equal((await service.consumer.next()).content.toString(), 'form');
  await fetch(`${service.url}/jobs/${service.queue}/form`, { method: 'DELETE' });

  const json = await fetch(`${service.url}/jobs/${service.queue}/json`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: '{"interval":3600,"immediate":true}',
  });
  t.equal(json.status, 201);
  t.match(await service.consumer.next(), { properties: { expiration: '3600000' } }, 'immediate runs at once');
});

t.test('one-off jobs', async (t) => {
  const service = await startService(t);
  const url = (job: string) => `${service.url}/jobs/${service.queue}/${job}`;

  const firstRun = new Date(Math.ceil(Date.now() / 1000) * 1000 + 1000).toISOString();
  const put = await fetch(`${url('once')}?one_off=true&first_run=${encodeURIComponent(firstRun)}`, {
    method: 'PUT',
  });
  t.equal(put.status, 201);
  t.match(await put.json(), { interval: null, next_run: firstRun.replace('.000Z', 'Z'), one_off: true });
  const message = await service.consumer.next();
  t.equal(scheduledAt(message), Date.parse(firstRun));
  t.equal(message.properties.expiration, undefined);

  t.equal((await fetch(`${url('delay')}?one-off=true&interval=1`, { method: 'PUT' })).status, 201);
  t.equal((await service.consumer.next()).content.toString(), 'delay');

  const past = await fetch(`${url('past')}?one-off=true&first-run=2020-01-01T00:00:00Z`, { method: 'PUT' });
  t.equal(past.status, 201);
  const late = await service.consumer.next();
  t.equal(late.content.toString(), 'past', 'a time that is past runs at once');
  t.ok(scheduledAt(late) > Date.now() - 10_000, 'with the time of the request as its scheduled time');

  // Removed after they ran: lazily, but never seen by the API.
  for (const job of ['once', 'delay', 'past']) {
    for (;;) {
      const { status } = await fetch(url(job));
      if (status === 404) break;
    }
  }
  t.equal((await fetch(`${url('once')}?one_off=true&immediate=true`, { method: 'PUT' })).status, 201);
  t.equal((await service.consumer.next()).content.toString(), 'once');
  t.equal(await service.instance.process.stop(), 0);

  await service.start();
  await fetch(`${url('marker')}?one_off=true&immediate=true`, { method: 'PUT' });
  t.equal((await service.consumer.next()).content.toString(), 'marker', 'none runs again after a restart');
});
