import t from 'tap';
import type { Position } from '../../../src/database/list-statements.ts';
import { formatCursor, parseCursor } from '../../../src/main-thread/http/cursor.ts';
import { isRefusal, type Served, serve } from './harness.ts';

type Page = { jobs: Record<string, unknown>[]; next: string | null; total: number | null };

async function put({ ask }: Served, path: string): Promise<void> {
  const { status, text } = await ask({ method: 'PUT', path });
  if (status !== 201) throw new Error(text);
}

async function page({ ask }: Served, query: string, headers: Record<string, string> = {}): Promise<Page> {
  const { status, text } = await ask({ path: `/jobs?${query}`, headers });
  if (status !== 200) throw new Error(text);
  return JSON.parse(text);
}

const names = ({ jobs }: Page) => jobs.map(({ routing_key, job }) => `${routing_key}/${job}`);

t.test('pages of jobs, each as a GET of one has it', async (t) => {
  const served = await serve(t);
  for (const name of ['b/2', 'a/3', 'a/1', 'b/%C3%A4']) await put(served, `/jobs/${name}?interval=60`);
  await put(served, '/jobs/c/paused?interval=60&enabled=false&tags=x,y&note=why');
  const whole = await page(served, '');
  t.same(names(whole), ['a/1', 'a/3', 'b/2', 'b/ä', 'c/paused']);
  t.match(whole, { next: null, total: 5 });
  const single = await served.ask({ path: '/jobs/c/paused' });
  t.same(whole.jobs.at(-1), single.body, 'the same members');
  t.match(whole.jobs.at(-1), { next_run: null, enabled: false, tags: ['x', 'y'], note: 'why' });

  t.match(served.jobs.queries, [{ limit: 100, after: null, sort: 'key' }]);
  t.equal((await page(served, 'sort=next_run&limit=3')).jobs.length, 3);
  t.match(served.jobs.queries.at(-1), { limit: 3, after: null, sort: 'next_run' });

  const first = await page(served, 'limit=2');
  t.same(names(first), ['a/1', 'a/3']);
  const second = await page(served, `limit=2&cursor=${first.next}`);
  t.same(names(second), ['b/2', 'b/ä']);
  const third = await page(served, `limit=2&cursor=${second.next}`);
  t.same(names(third), ['c/paused']);
  t.equal(third.next, null);
});

t.test('a HEAD has the head of either answer, and the refusals', async (t) => {
  const served = await serve(t);
  await put(served, '/jobs/a/1?interval=60');
  for (const accept of ['application/json', 'application/x-ndjson']) {
    const head = await served.ask({ method: 'HEAD', path: '/jobs', headers: { accept } });
    t.match(head, {
      status: 200,
      text: '',
      headers: { 'content-type': accept, 'cache-control': 'no-store' },
    });
    const whole = await served.ask({ path: '/jobs', headers: { accept } });
    t.equal(head.headers['content-length'], whole.headers['content-length'], 'that of the GET, or none');
    t.equal((await served.ask({ method: 'HEAD', path: '/jobs?kind=odd', headers: { accept } })).status, 400);
  }
});

t.test('filters', async (t) => {
  const served = await serve(t);
  await put(served, '/jobs/a.b/1?interval=60&tags=x');
  await put(served, '/jobs/a.b/2?one_off=true&interval=60');
  await put(served, '/jobs/a.c/11?interval=60&enabled=false');
  const cases: [query: string, found: string[]][] = [
    ['routing_key=a.b', ['a.b/1', 'a.b/2']],
    ['routing_key_prefix=a.', ['a.b/1', 'a.b/2', 'a.c/11']],
    ['job_prefix=1', ['a.b/1', 'a.c/11']],
    ['routing_key_prefix=a.c&job_prefix=1', ['a.c/11']],
    ['tag=x', ['a.b/1']],
    ['kind=one_off', ['a.b/2']],
    ['enabled=false', ['a.c/11']],
    ['enabled=true&kind=interval', ['a.b/1']],
    ['kind=cron', []],
  ];
  for (const [query, found] of cases) {
    const answer = await page(served, query);
    t.same(names(answer), found, query);
    t.equal(answer.total, null, 'not known under a filter');
    const { text } = await served.ask({
      path: `/jobs?${query}`,
      headers: { accept: 'application/x-ndjson' },
    });
    const lines = text.split('\n').filter(Boolean);
    t.same(
      lines.map((line) => JSON.parse(line)).map(({ routing_key, job }) => `${routing_key}/${job}`),
      found,
      'the export has the same',
    );
  }
});

t.test('Accept decides between a page and an export', async (t) => {
  const { ask } = await serve(t);
  const json = 'application/json';
  const ndjson = 'application/x-ndjson';
  const cases: [accept: string | undefined, type: string][] = [
    [undefined, json],
    ['', json],
    ['*/*', json],
    ['application/json', json],
    ['application/*', json],
    ['text/html, */*;q=0.1', json],
    ['application/json, application/x-ndjson;q=0.5', json],
    ['application/x-ndjson', ndjson],
    ['Application/X-NDJSON', ndjson],
    ['application/x-ndjson, */*', ndjson],
    ['application/json;q=0.9,application/x-ndjson', ndjson],
    ['text/html', 'application/problem+json'],
    ['application/json;q=0', 'application/problem+json'],
  ];
  for (const [accept, type] of cases) {
    const { headers } = await ask({ path: '/jobs', headers: accept === undefined ? {} : { accept } });
    t.equal(headers['content-type'], type, `${accept}`);
  }
});

t.test('a long export leaves no listeners on the response', async (t) => {
  const { app, jobs, ask } = await serve(t);
  let counts = () => [0, 0];
  app.server.prependListener('request', (_request, response) => {
    counts = () => [response.listenerCount('drain'), response.listenerCount('close')];
  });
  const warnings: Error[] = [];
  const warned = (warning: Error) => warnings.push(warning);
  process.on('warning', warned);
  t.teardown(() => process.off('warning', warned));
  // Each is a page of its own, and more than the socket takes at once.
  const payload = Buffer.alloc(200_000, 'x');
  const condition = { onlyCreate: false, ifMatch: null };
  for (let job = 0; job < 30; job++)
    await jobs.put(
      { routingKey: 'k', job: String(job) },
      { interval: { text: null, ms: 60_000 }, payload },
      condition,
    );
  const { text } = await ask({ path: '/jobs', headers: { accept: 'application/x-ndjson' } });
  t.equal(text.split('\n').length, 31);
  await new Promise((resolve) => setImmediate(resolve));
  t.same(warnings, []);
  t.ok(counts().every((count) => count < 3));
});

t.test('what is wrong is told', async (t) => {
  const served = await serve(t);
  const place: Position = { routingKey: Buffer.from('a'), jobStart: Buffer.from('1'), id: 1 };
  const good = formatCursor(place);
  t.same(parseCursor('cursor', good), place);
  const cursor = /^cursor is not one that a page/;
  const damaged = ['', 'x', `${good}A`, good.slice(0, -2), `B${good.slice(1)}`, `${good.slice(0, 5)}%`];
  const cases: [query: string, code: string, parameter: string, detail: RegExp][] = [
    ...damaged.map((text): [string, string, string, RegExp] => [
      `cursor=${encodeURIComponent(text)}`,
      'invalid_parameter',
      'cursor',
      cursor,
    ]),
    [`sort=next_run&cursor=${good}`, 'invalid_parameter', 'cursor', /exclude each other/],
    ['limit=0', 'invalid_parameter', 'limit', /from 1 to 1000/],
    ['limit=1001', 'invalid_parameter', 'limit', /from 1 to 1000/],
    ['limit=1&limit=2', 'duplicate_parameter', 'limit', /more than once/],
    ['sort=job', 'invalid_parameter', 'sort', /key or next_run/],
    ['kind=daily', 'invalid_parameter', 'kind', /interval or one_off or calendar or cron/],
    ['enabled=maybe', 'invalid_parameter', 'enabled', /true or false/],
    ['routing_key=', 'invalid_parameter', 'routing_key', /is empty/],
    ['routing_key_prefix=', 'invalid_parameter', 'routing_key_prefix', /1 to 255 bytes/],
    ['job_prefix=', 'invalid_parameter', 'job_prefix', /1 to 20000 bytes/],
    ['tag=a,b', 'invalid_parameter', 'tag', /1 to 64 bytes/],
    ['routing_key=a&routing_key_prefix=b', 'invalid_parameter', 'routing_key_prefix', /exclude each other/],
    ['rooting_key=a', 'unknown_parameter', 'rooting_key', /did you mean routing_key\?/],
    ['hasOwnProperty=a', 'unknown_parameter', 'hasOwnProperty', /GET \/jobs takes routing_key/],
  ];
  for (const [query, code, parameter, detail] of cases) {
    isRefusal(t, served, await served.ask({ path: `/jobs?${query}` }), {
      ...{ status: 400, code, parameter, detail },
    });
  }
  const headers = { accept: 'application/x-ndjson' };
  isRefusal(t, served, await served.ask({ path: '/jobs?limit=1', headers }), {
    ...{
      status: 400,
      code: 'unknown_parameter',
      parameter: 'limit',
      detail: /as application\/x-ndjson takes/,
    },
  });
  isRefusal(t, served, await served.ask({ path: '/jobs', headers: { 'content-length': '2' }, body: '{}' }), {
    ...{ status: 400, code: 'malformed_request', parameter: undefined, detail: /no body/ },
  });
});
