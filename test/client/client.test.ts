import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import {
  DalgaClient,
  DalgaProblem,
  DalgaUnreachable,
  Deduplicator,
  parseMessage,
} from '../../src/client/client.ts';
import { type Served, serve } from '../main-thread/http/harness.ts';

async function client(t: Test): Promise<{ dalga: DalgaClient; served: Served }> {
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
  t.same((await dalga.pace(name, { interval: 300 })).job.interval, 300);
  t.match(await dalga.pace(name, { notBefore: new Date('2099-01-01T00:00:00Z') }), {
    job: { next_run: /^2099/ },
  });
  t.match(await dalga.pause(name, 'moving'), { job: { enabled: false, note: 'moving', next_run: null } });
  const resumed = await dalga.resume(name);
  t.same([resumed.job.enabled, resumed.job.note], [undefined, undefined]);
  t.equal((await dalga.next(name, 3)).length, 3);
  t.equal(await dalga.delete(name), true);
  t.equal(await dalga.delete(name), false);
});

t.test('lists, a page after the other', async (t) => {
  const { dalga } = await client(t);
  for (let index = 0; index < 5; index++)
    await dalga.put({ routingKey: 'k', job: String(index) }, { interval: 60 });
  const page = await dalga.list({ limit: 2 });
  t.match(page, { jobs: [{ job: '0' }, { job: '1' }], total: 5, next: String });
  t.match(await dalga.list({ limit: 2, cursor: page.next! }), { jobs: [{ job: '2' }, { job: '3' }] });
  const all: string[] = [];
  for await (const { job } of dalga.listAll()) all.push(job);
  t.same(all, ['0', '1', '2', '3', '4']);
});

t.test('what is no job', async (t) => {
  const { dalga } = await client(t);
  t.same(await dalga.preview({ cron: '@yearly' }, { from: '2037-06-01T00:00:00Z', count: 1 }), [
    '2038-01-01T00:00:00Z',
  ]);
  t.match(await dalga.status(), { lease: 'starting', versions: { dalga: '1.2.3' } });
  await t.rejects(dalga.forecast(), { status: 503, code: 'not_owner', retryAfter: 1 });
  await t.rejects(dalga.history(name), DalgaProblem);
});

t.test('refusals, and what is no Dalga', async (t) => {
  const { dalga } = await client(t);
  await t.rejects(dalga.put(name, { interval: 0 }), {
    ...{ name: 'DalgaProblem', status: 400, code: 'invalid_parameter', parameter: 'interval' },
    message: /^interval must be/,
  });
  await t.rejects(dalga.put({ routingKey: 'k', job: '..' }, { interval: 60 }), { name: 'TypeError' });
  const other = createServer((_request, response) => response.writeHead(404).end('nothing here'));
  await new Promise<void>((resolve) => {
    other.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => other.close());
  const { port } = other.address() as AddressInfo;
  await t.rejects(new DalgaClient({ url: `http://127.0.0.1:${port}` }).get(name), {
    name: 'DalgaUnreachable',
    message: /answers 404, and not as Dalga does$/,
  });
  other.close();
  other.closeAllConnections();
  await t.rejects(new DalgaClient({ url: `http://127.0.0.1:${port}` }).status(), DalgaUnreachable);
});

t.test("the client's types are those of the OpenAPI document", async (t) => {
  const { served } = await client(t);
  const document = (await served.ask({ path: '/openapi.json' })).body as {
    paths: Record<string, Record<string, { parameters?: { in: string; name: string }[] }>>;
  };
  const queryOf = (path: string, method: string) =>
    document.paths[path]![method]!.parameters!.filter((each) => each.in === 'query').map((each) => each.name);
  // Each is checked by the compiler to be a parameter of the client, and here to be one of the API.
  const put = Object.keys(ALL_PUT);
  t.same(queryOf('/jobs/{routing_key}/{job}', 'put').sort(), put.sort());
  const change = [...put, 'not_before', 'shift'];
  t.same(queryOf('/jobs/{routing_key}/{job}', 'patch').sort(), change.sort());
  t.same(queryOf('/jobs', 'get').sort(), Object.keys(ALL_LIST).sort());
  t.same(queryOf('/forecast', 'get').sort(), ['from', 'step', 'to']);
});

const ALL_PUT: Required<{ [Name in keyof import('../../src/client/client.ts').PutParameters]: true }> = {
  ...{
    interval: true,
    cron: true,
    location: true,
    gap: true,
    overlap: true,
    first_run: true,
    last_run: true,
  },
  ...{
    max_runs: true,
    one_off: true,
    immediate: true,
    exclude: true,
    jitter: true,
    phase: true,
    misfire: true,
  },
  ...{ misfire_age: true, enabled: true, note: true, tags: true, payload: true, payload_encoding: true },
  ...{ content_type: true, headers: true, priority: true, expiration: true, exchange: true },
  ...{ correlation_id: true, reply_to: true, type: true },
};

const ALL_LIST: Required<{ [Name in keyof import('../../src/client/client.ts').ListParameters]: true }> = {
  ...{ routing_key: true, routing_key_prefix: true, job_prefix: true, tag: true, kind: true, enabled: true },
  ...{ limit: true, cursor: true, sort: true },
};

t.test('a consumer reads messages, and knows those that come twice', async (t) => {
  const message = {
    content: Buffer.from('1234'),
    fields: { routingKey: 'check_feed', redelivered: false },
    properties: {
      ...{ appId: 'dalga', messageId: 'k3x9.1.mia1b2c3' },
      headers: { 'x-dalga-scheduled-at': 1_800_000_000_000, 'x-dalga-missed': 2 },
    },
  };
  t.same(parseMessage(message), {
    ...{ routingKey: 'check_feed', body: '1234', scheduledAt: new Date(1_800_000_000_000), missed: 2 },
    ...{ messageId: 'k3x9.1.mia1b2c3', redelivered: false },
  });
  t.throws(() => parseMessage({ ...message, properties: {} }), {
    name: 'TypeError',
    message: /not one of Dalga/,
  });
  const seen = new Deduplicator(2);
  const isNew = (messageId: string) => seen.isNew({ messageId });
  t.same(
    [isNew('a'), isNew('a'), isNew('b'), isNew('c'), isNew('b'), isNew('a')],
    [true, false, true, true, false, true],
  );
});
