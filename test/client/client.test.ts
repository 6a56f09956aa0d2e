import t, { type Test } from 'tap';
import { DalgaClient, DalgaProblem } from '../../src/client/client.ts';
import { serve } from '../main-thread/http/harness.ts';
import { json, stubServer } from './stub-server.ts';

async function client(t: Test) {
  const served = await serve(t);
  return { dalga: new DalgaClient({ url: `http://127.0.0.1:${served.port}/` }), served };
}

const name = { routingKey: 'check_feed', job: 'https://example.com/ü?a=1#x' };

t.test('a job from its PUT to its end', async (t) => {
  const { dalga } = await client(t);
  t.equal(await dalga.get(name), null);
  const put = await dalga.put(name, { interval: 60, tags: ['news'] });
  t.match(put, {
    created: true,
    job: { job: name.job, routing_key: 'check_feed', interval: 60, tags: ['news'] },
  });
  t.match(put.etag, /^".+"$/);
  t.same(await dalga.get(name), { job: put.job, etag: put.etag });
  t.equal((await dalga.put(name, { interval: 60, tags: ['news'] })).created, false);
  await t.rejects(dalga.put(name, { interval: 60 }, { onlyCreate: true }), {
    status: 412,
    code: 'precondition_failed',
  });
  const changed = await dalga.change(name, { interval: 'PT2M' }, { ifMatch: put.etag });
  t.not(changed.etag, put.etag);
  t.same((await dalga.pace(name, { interval: 300 }))?.job.interval, 300);
  t.match(await dalga.pace(name, { notBefore: new Date('2099-01-01T00:00:00Z') }), {
    job: { next_run: /^2099/ },
  });
  t.match(
    await dalga.pace(name, { interval: 5000, notBefore: '2098-01-01T00:00:00Z' }),
    { job: { interval: 5000, next_run: /^2098/ } },
    'both',
  );
  t.match(await dalga.change(name, { not_before: null }), { job: { next_run: /^2014/ } }, 'which null ends');
  await t.rejects(dalga.pace(name, {} as never), { name: 'InvalidArgument' });
  const paused = await dalga.pause(name, { note: 'moving' });
  t.match(paused, { job: { enabled: false, note: 'moving', next_run: null } });
  const resumed = await dalga.resume(name);
  t.same([resumed.job.enabled, resumed.job.note], [undefined, undefined]);
  t.equal((await dalga.next(name, { count: 3 })).length, 3);
  t.equal(await dalga.delete(name), true);
  t.equal(await dalga.delete(name), false);
  t.equal(await dalga.pace(name, { interval: 60 }), null, 'a consumer need not care that it is gone');
  await t.rejects(dalga.change(name, { interval: 60 }), { status: 404, code: 'not_found' });
});

t.test('what JSON has no form for', async (t) => {
  const { dalga, served } = await client(t);
  const payload = Uint8Array.from({ length: 1000 }, (_, index) => index);
  const { job } = await dalga.put(name, {
    interval: 60,
    payload,
    first_run: new Date('2030-01-01T00:00:00Z'),
  });
  t.match(job, { payload: Buffer.from(payload).toString('base64'), payload_encoding: 'base64' });
  t.equal(job.next_run, '2030-01-01T00:00:00Z');
  const before = served.jobs.calls.length;
  const refused: [parameters: object, message: RegExp][] = [
    [{ interval: Number.NaN }, /^interval must not be NaN$/],
    [{ max_runs: Number.POSITIVE_INFINITY }, /^max_runs must not be Infinity$/],
    [{ first_run: new Date(Number.NaN) }, /^first_run is no valid Date$/],
  ];
  for (const [parameters, message] of refused)
    await t.rejects(dalga.change(name, parameters), { name: 'InvalidArgument', message });
  const half = '\ud83d';
  await t.rejects(dalga.get({ routingKey: half, job: 'x' }), {
    name: 'InvalidArgument',
    message: /^routingKey .*surrogate/,
  });
  await t.rejects(dalga.get({ routingKey: 'x', job: half }), {
    name: 'InvalidArgument',
    message: /^job .*surrogate/,
  });
  await t.rejects(dalga.list({ job_prefix: half }), {
    name: 'InvalidArgument',
    message: /^job_prefix .*surrogate/,
  });
  for (const job of ['', '.', '..'])
    await t.rejects(dalga.put({ routingKey: 'k', job }, { interval: 60 }), {
      name: 'InvalidArgument',
      message: /^job must/,
    });
  await t.rejects(dalga.get(name, { timeout: 0 }), { name: 'InvalidArgument', message: /timeout/ });
  t.equal(served.jobs.calls.length, before, 'nothing was sent');
});

t.test('many jobs', async (t) => {
  const { dalga } = await client(t);
  for (let index = 0; index < 5; index++)
    await dalga.put({ routingKey: 'k', job: String(index) }, { interval: 60, tags: index < 2 ? ['x'] : [] });
  const page = await dalga.list({ limit: 2 });
  t.match(page, { jobs: [{ job: '0' }, { job: '1' }], total: 5, next: String });
  t.match(await dalga.list({ limit: 2, cursor: page.next! }), { jobs: [{ job: '2' }, { job: '3' }] });
  const all: string[] = [];
  for await (const { job } of dalga.listAll()) all.push(job);
  t.same(all, ['0', '1', '2', '3', '4']);

  t.match(await dalga.changeMany({ tag: 'x' }, { enabled: false }, { dryRun: true }), {
    matched: 2,
    changed: 0,
  });
  t.match(await dalga.changeMany({ tag: 'x' }, { enabled: false }), { matched: 2, changed: 2, errors: [] });
  t.match(await dalga.deleteMany({ enabled: false }), { matched: 2, deleted: 2 });
  await t.rejects(dalga.deleteMany({}), { code: 'invalid_parameter' });
});

t.test('pages are asked for until the last one', async (t) => {
  const { url, requests } = await stubServer(t, (request, response, body) => {
    const last = request.url!.includes('cursor=b');
    json(200, { jobs: last ? [{ job: '2' }] : [], next: last ? null : 'b', total: null })(
      request,
      response,
      body,
    );
  });
  const jobs: unknown[] = [];
  for await (const job of new DalgaClient({ url }).listAll({ tag: 'x' })) jobs.push(job);
  t.same(jobs, [{ job: '2' }], 'a page without jobs is not the end');
  t.same(
    requests.map(({ path }) => path),
    ['/jobs?tag=x&limit=1000', '/jobs?tag=x&limit=1000&cursor=b'],
  );
});

t.test('what is no job', async (t) => {
  const { dalga } = await client(t);
  t.same(await dalga.preview({ cron: '@yearly', from: new Date('2037-06-01T00:00:00Z'), count: 1 }), [
    '2038-01-01T00:00:00Z',
  ]);
  t.match(await dalga.status(), { lease: 'starting', versions: { dalga: '1.2.3' } });
  await t.rejects(dalga.forecast(), { status: 503, code: 'not_owner', retryAfter: 1 });
  await t.rejects(dalga.history(name), DalgaProblem);
});

t.test('runs by hand and backfills', async (t) => {
  const backfill = {
    ...{ id: '7', kind: 'backfill', job: 'j', routing_key: 'k', from: '2026-01-01T00:00:00Z' },
    ...{ to: '2026-01-02T00:00:00Z', position: 'x', published: 0, created: '2026-01-03T00:00:00Z' },
  };
  const { url, requests } = await stubServer(t, (request, response, body) => {
    if (request.method === 'DELETE') response.writeHead(204).end();
    else if (request.url === '/backfills') json(200, { backfills: [backfill] })(request, response, body);
    else json(request.method === 'POST' ? 202 : 200, backfill)(request, response, body);
  });
  const dalga = new DalgaClient({ url: `${url}/` });
  const from = new Date('2026-01-01T00:00:00Z');
  const of = { routingKey: 'k', job: 'a/b' };
  t.same(await dalga.run(of), backfill);
  t.same(await dalga.backfill(of, { from, to: '2026-01-02T00:00:00Z' }), backfill);
  t.same(await dalga.backfills(), [backfill]);
  t.same(await dalga.getBackfill('7'), backfill);
  t.equal(await dalga.stopBackfill('7'), true);
  t.same(
    requests.map(({ method, path }) => `${method} ${decodeURIComponent(path)}`),
    [
      'POST /jobs/k/a/b/run',
      'POST /jobs/k/a/b/backfill?from=2026-01-01T00:00:00.000Z&to=2026-01-02T00:00:00Z',
      ...['GET /backfills', 'GET /backfills/7', 'DELETE /backfills/7'],
    ],
  );
});

t.test('a forecast with jobs that are not stored', async (t) => {
  const added = { sampled: 1, total: 1, steps: [1], routes: [] };
  const forecast = { from: 'a', to: 'b', step: 60, ...added, added };
  const { url, requests } = await stubServer(t, json(200, forecast));
  const schedules = [{ routing_key: 'k', count: 200_000, interval: 300, first_run: new Date(0) }];
  t.same(await new DalgaClient({ url }).forecastWith(schedules, { step: 60 }), forecast);
  t.match(requests, [{ method: 'POST', path: '/forecast' }]);
  t.same(JSON.parse(requests[0]!.body), {
    step: 60,
    schedules: [{ routing_key: 'k', count: 200_000, interval: 300, first_run: '1970-01-01T00:00:00.000Z' }],
  });
});
