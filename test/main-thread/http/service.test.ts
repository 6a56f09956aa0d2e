import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import t from 'tap';
import { PARAMETER_NAMES } from '../../../src/main-thread/http/parameters.ts';
import { METRICS, serve } from './harness.ts';

t.test('/healthz', async (t) => {
  let alive: () => Promise<boolean> = async () => true;
  const readiness = () => ({ ready: true, reasons: {} });
  const { ask } = await serve(t, { health: { alive: () => alive(), readiness } });
  const ok = await ask({ path: '/healthz' });
  t.match(ok, { status: 200, text: '{"status":"ok"}' });
  t.match(ok.headers, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  t.equal(ok.headers['retry-after'], undefined);
  alive = async () => false;
  t.match(await ask({ path: '/healthz' }), {
    status: 503,
    text: '{"status":"failing"}',
    headers: { 'retry-after': '1' },
  });
  alive = () => Promise.reject(new Error('no answer'));
  t.equal((await ask({ path: '/healthz' })).status, 503);
});

t.test('/readyz', async (t) => {
  let state: { ready: boolean; reasons: Record<string, string> } = { ready: true, reasons: {} };
  const { ask } = await serve(t, { health: { alive: async () => true, readiness: () => state } });
  t.match(await ask({ path: '/readyz' }), { status: 200, text: '{"ready":true,"reasons":{}}' });
  state = { ready: false, reasons: { mysql: 'cannot be reached' } };
  const answer = await ask({ path: '/readyz' });
  t.match(answer, { status: 503, text: '{"ready":false,"reasons":{"mysql":"cannot be reached"}}' });
  t.match(answer.headers, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'retry-after': '1',
  });
});

type Document = {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { properties: Record<string, { enum?: string[] }> }> };
};
type Operation = {
  parameters?: { in: string; name: string; description?: string; required?: boolean }[];
  requestBody?: { required: boolean; content: Record<string, unknown> };
  responses: Record<
    string,
    { description: string; content?: Record<string, unknown>; headers?: Record<string, unknown> }
  >;
};

t.test('/metrics', async (t) => {
  const { ask } = await serve(t);
  const answer = await ask({ path: '/metrics' });
  t.match(answer, { status: 200, text: METRICS });
  t.match(answer.headers, {
    'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    'cache-control': 'no-store',
  });
  t.match(await ask({ path: '/metrics', method: 'POST' }), { status: 405, headers: { allow: 'GET, HEAD' } });
});

t.test('the OpenAPI document', async (t) => {
  const { ask } = await serve(t);
  const answer = await ask({ path: '/openapi.json' });
  t.equal(answer.headers['content-type'], 'application/json');
  const document = answer.body as Document;
  t.match(document.openapi, /^3\.1\.\d+$/);
  t.match(document.info, { title: 'Dalga', version: '1.2.3' });
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  );
  t.same(operations.sort(), [
    'DELETE /backfills/{id}',
    'DELETE /jobs',
    'DELETE /jobs/{routing_key}/{job}',
    'GET /backfills',
    'GET /backfills/{id}',
    'GET /events',
    'GET /forecast',
    'GET /healthz',
    'GET /jobs',
    'GET /jobs/{routing_key}/{job}',
    'GET /jobs/{routing_key}/{job}/history',
    'GET /jobs/{routing_key}/{job}/next',
    'GET /metrics',
    'GET /openapi.json',
    'GET /readyz',
    'GET /status',
    'PATCH /jobs',
    'PATCH /jobs/{routing_key}/{job}',
    'POST /forecast',
    'POST /jobs',
    'POST /jobs/{routing_key}/{job}',
    'POST /jobs/{routing_key}/{job}/backfill',
    'POST /jobs/{routing_key}/{job}/run',
    'POST /schedules/preview',
    'PUT /jobs/{routing_key}/{job}',
  ]);

  for (const reference of findReferences(document)) {
    const target = reference
      .replace(/^#\//, '')
      .split('/')
      .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], document);
    t.type(target, 'object', reference);
  }

  const { put, post, patch } = document.paths['/jobs/{routing_key}/{job}']! as Record<string, Operation>;
  const names = (where: string, operation = put!) =>
    operation.parameters?.filter((each) => each.in === where).map((each) => each.name);
  for (const change of [post, patch]) {
    t.same(names('query', change)?.sort(), [...PARAMETER_NAMES].sort(), 'all that is taken, and no more');
  }
  t.same(names('path'), ['routing_key', 'job']);
  const ofPut = PARAMETER_NAMES.filter((name) => name !== 'not_before' && name !== 'shift');
  t.same(names('query')?.sort(), ofPut.sort());
  t.same(names('header'), ['If-Match', 'If-None-Match']);
  t.ok(
    put!.parameters?.every(({ description }) => description !== undefined),
    'each is described',
  );
  t.equal(put!.requestBody?.required, false);
  t.same(Object.keys(put!.requestBody?.content ?? {}), [
    'application/json',
    'application/x-www-form-urlencoded',
  ]);
  for (const status of ['200', '201', '400', '408', '412', '413', '415', '431', '500', '503', '507']) {
    const type = Number(status) < 400 ? 'application/json' : 'application/problem+json';
    t.same(Object.keys(put!.responses[status]?.content ?? {}), [type], status);
  }
  const unavailable = Object.values(document.paths)
    .flatMap((item) => Object.values(item))
    .map(({ responses }) => responses['503']);
  t.ok(
    unavailable.every((response) => response?.headers?.['Retry-After'] !== undefined),
    'every 503 has a Retry-After',
  );
  t.equal(document.paths['/jobs/{routing_key}/{job}']!.delete!.responses['204']?.content, undefined);
  t.ok(document.components.schemas.Problem?.properties.code?.enum?.includes('outcome_unknown'));
});

t.test('HEAD, wherever GET is: its headers and no body', async (t) => {
  const { ask } = await serve(t);
  for (const path of ['/', '/jobs', '/healthz', '/readyz', '/metrics', '/openapi.json', '/docs']) {
    const get = await ask({ path });
    const head = await ask({ path, method: 'HEAD' });
    t.equal(head.status, get.status, path);
    t.equal(head.text, '');
    for (const name of ['content-type', 'content-length', 'location', 'cache-control']) {
      t.equal(head.headers[name], get.headers[name], `${path} ${name}`);
    }
  }
  const missing = await ask({ path: '/nothing', method: 'HEAD' });
  t.match(missing, { status: 404, text: '', headers: { 'content-type': 'application/problem+json' } });
});

t.test('/ leads to the page at /docs', async (t) => {
  const { ask, port } = await serve(t);
  t.match(await ask({ path: '/' }), { status: 302, headers: { location: './docs' } });
  const followed = await fetch(`http://127.0.0.1:${port}`);
  t.match(followed, { status: 200, url: `http://127.0.0.1:${port}/docs` });
  t.match(await followed.text(), /<title>Dalga</);
});

t.test('the page at /docs', async (t) => {
  const { ask } = await serve(t);
  const page = await ask({ path: '/docs' });
  t.match(page, { status: 200, headers: { 'content-type': /^text\/html/ } });
  t.notMatch(page.headers['content-security-policy'], /upgrade-insecure-requests/, 'it is served over HTTP');
  for (const [, source] of page.text.matchAll(/(?:src|href)="([^"]+)"/g)) {
    t.equal((await ask({ path: source! })).status, 200, String(source));
  }
  t.match((await ask({ path: '/docs/json' })).body, { openapi: /^3\.1/ });
});

function findReferences(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '$ref' && typeof inner === 'string' ? [inner] : findReferences(inner),
  );
}

t.test('while it stops, what is under way is answered, and what comes then is refused', async (t) => {
  const { app, jobs, port } = await serve(t);
  const held = withResolvers();
  const asked = withResolvers();
  jobs.get = async () => {
    asked.resolve();
    await held.promise;
    return null;
  };
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  const second = withResolvers();
  app.server.on('request', (request: IncomingMessage) => {
    if (request.method === 'PUT') second.resolve();
  });
  socket.write('GET /jobs/k/j HTTP/1.1\r\nHost: x\r\n\r\n');
  await asked.promise;
  const closing = app.close();
  await new Promise(setImmediate);
  socket.write('PUT /jobs/k/j?interval=60 HTTP/1.1\r\nHost: x\r\n\r\n');
  await second.promise;
  held.resolve();
  let all = '';
  for await (const chunk of socket) all += chunk;
  const statuses = [...all.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  t.same(statuses, ['404', '503']);
  t.match(all, /"code":"stopping"/);
  t.match(all, /retry-after: 1\r\n/);
  t.match(all, /connection: close\r\n/i);
  t.same(jobs.calls, []);
  await closing;
});

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
