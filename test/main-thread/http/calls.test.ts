import t from 'tap';
import { DalgaError } from '../../../src/errors.ts';
import type { JobRow } from '../../../src/job/job.ts';
import { formatJob } from '../../../src/main-thread/http/job-view.ts';
import { NOW, serve } from './harness.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const JSON_TYPE = { 'content-type': 'application/json' };
const JOB = '{"job":"1234","routing_key":"check_feed","interval":60,"next_run":"2014-11-11T22:11:40Z"}';

t.test('the four calls, byte for byte', async (t) => {
  const { ask } = await serve(t);
  const put = await ask({ method: 'PUT', path: '/jobs/check_feed/1234?interval=60' });
  t.equal(put.status, 201);
  t.equal(put.text, JOB);
  t.equal(put.headers['content-type'], 'application/json');
  t.equal(put.headers['content-length'], String(JOB.length));
  t.equal(put.headers['cache-control'], 'no-store');

  const again = await ask({ method: 'PUT', path: '/jobs/check_feed/1234?interval=60' });
  t.match(again, { status: 200, text: JOB });
  const get = await ask({ path: '/jobs/check_feed/1234' });
  t.match(get, { status: 200, text: JOB, headers: { 'content-type': 'application/json' } });
  const head = await ask({ method: 'HEAD', path: '/jobs/check_feed/1234' });
  t.match(head, { status: 200, text: '', headers: { 'content-type': 'application/json' } });
  const post = await ask({ method: 'POST', path: '/jobs/check_feed/1234?interval=15' });
  t.match(post, {
    status: 200,
    text: '{"job":"1234","routing_key":"check_feed","interval":15,"next_run":"2014-11-11T22:10:55Z"}',
  });
  const deleted = await ask({ method: 'DELETE', path: '/jobs/check_feed/1234' });
  t.match(deleted, { status: 204, text: '', headers: { 'cache-control': 'no-store' } });
  t.notOk('content-type' in deleted.headers || 'content-length' in deleted.headers, 'no body');

  for (const method of ['GET', 'POST', 'DELETE']) {
    const answer = await ask({ method, path: '/jobs/check_feed/1234' });
    t.match(answer, { status: 404, body: { code: 'not_found', detail: 'there is no such job' } }, method);
    t.equal(answer.headers['content-type'], 'application/problem+json');
  }
});

t.test('parameters in the query string, in a form, in JSON, and in two places', async (t) => {
  const { ask, jobs } = await serve(t);
  const path = '/jobs/k/j';
  const first = Date.UTC(2030, 0, 31, 10);
  for (const request of [
    { path: `${path}?interval=60&first_run=2030-01-31T12:00:00%2B02:00` },
    { path: `${path}?interval=60&first-run=2030-01-31T10:00:00Z&` },
    { path: `${path}?`, headers: FORM, body: 'interval=60&first_run=2030-01-31T12%3A00%3A00%2B02%3A00' },
    { path, headers: JSON_TYPE, body: ' {"interval": 60, "first_run": "2030-01-31T10:00:00Z"}' },
    { path: `${path}?interval=60`, headers: JSON_TYPE, body: '{"first-run":"2030-01-31T10:00:00.0009Z"}' },
    {
      path: `${path}?interval=60`,
      headers: { 'content-type': 'Application/X-WWW-Form-URLencoded; charset=UTF-8' },
      body: 'first-run=2030-01-31T10:00:00Z',
    },
  ]) {
    jobs.calls.length = 0;
    const answer = await ask({ method: 'PUT', ...request });
    t.ok(answer.status === 200 || answer.status === 201, answer.text);
    t.same(jobs.calls[0]?.request, { interval: { ms: 60_000, text: null }, firstRun: first }, request.path);
  }
});

t.test('an empty body is none, whatever its content type', async (t) => {
  const { ask, raw, jobs } = await serve(t);
  for (const type of [
    'application/json',
    'application/x-www-form-urlencoded',
    'text/plain',
    'nonsense',
    '',
  ]) {
    const headers = { 'content-type': type, 'content-length': '0' };
    const answer = await ask({ method: 'PUT', path: '/jobs/k/j?interval=60', headers });
    t.ok(answer.status < 300, type || '(empty)');
    t.equal((await ask({ method: 'DELETE', path: '/jobs/k/j', headers })).status, 204, `DELETE ${type}`);
  }
  const chunked = await raw(
    'PUT /jobs/k/j?interval=60 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n' +
      'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  );
  t.equal(chunked.status, 201);
  t.same(jobs.calls.at(-1)?.request, { interval: { ms: 60_000, text: null } });
});

t.test('durations, one-off and paused jobs', async (t) => {
  const { ask } = await serve(t);
  const put = async (query: string) => (await ask({ method: 'PUT', path: `/jobs/k/j?${query}` })).text;
  t.equal(
    await put('interval=PT1M30S'),
    '{"job":"j","routing_key":"k","interval":"PT1M30S","next_run":"2014-11-11T22:12:10Z"}',
  );
  t.equal(
    await put('interval=90'),
    '{"job":"j","routing_key":"k","interval":"PT1M30S","next_run":"2014-11-11T22:12:10Z"}',
    'an equal schedule is left as it was given first',
  );
  const oneOff =
    '{"job":"j","routing_key":"k","interval":null,"next_run":"2014-11-11T22:11:40Z","one_off":true}';
  t.equal(await put('one_off=true&interval=60'), oneOff);
  t.equal(await put('one-off=1&first-run=2014-11-11T22:11:40.999Z'), oneOff, 'cut, not rounded');
  t.equal(
    await put('interval=60&immediate=true&one_off=false'),
    '{"job":"j","routing_key":"k","interval":60,"next_run":"2014-11-11T22:10:40Z"}',
  );
  const row: JobRow = {
    id: 1,
    version: 1,
    since: NOW,
    enabled: false,
    routingKey: Buffer.from('k'),
    job: Buffer.from('\ufeffj'),
    schedule: { kind: 'interval', intervalMs: 1000, intervalText: null, firstRun: NOW, anchored: false },
  };
  t.equal(
    formatJob({ row, nextRun: null }),
    '{"job":"\ufeffj","routing_key":"k","interval":1,"next_run":null,"enabled":false}',
  );
});

t.test('names of jobs', async (t) => {
  const { ask, raw, jobs } = await serve(t);
  const names = [
    'a/b',
    '{"url":"http://x/?a=b&c=d","n":1}',
    '🍣 ü%',
    '%2F',
    '%25',
    'a+b c;d',
    '\u0000\n',
    '...',
    '\ufeffx',
    "!$&'()*,=:@~",
    'x'.repeat(20_000),
    '€'.repeat(6666),
  ];
  for (const job of names) {
    const path = `/jobs/${encodeURIComponent(job)}/${encodeURIComponent(job)}`;
    const short = Buffer.byteLength(job) <= 255;
    const answer = await ask({
      method: 'PUT',
      path: `${short ? path : `/jobs/k/${encodeURIComponent(job)}`}?interval=60`,
    });
    t.match(answer, { status: 201, body: { job, routing_key: short ? job : 'k' } }, job.slice(0, 20));
  }
  // 20,000 bytes of three-character escapes: 60,000 characters of path.
  const escaped = await ask({ method: 'PUT', path: `/jobs/k/${'%78'.repeat(20_000)}?interval=60` });
  t.equal(escaped.status, 200, 'the same job as x 20,000 times');
  const key = '%ff%fe'; // as text
  const twice = await ask({ method: 'PUT', path: `/jobs/${encodeURIComponent(key)}/%2525?interval=60` });
  t.match(twice.body, { job: '%25', routing_key: key }, 'decoded once');
  const proxied = await raw(
    'PUT http://dalga/jobs/k/p?interval=60 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  );
  t.match(proxied, { status: 201, body: { job: 'p' } }, 'absolute form');
  t.equal(jobs.calls.length, names.length + 3);
});

t.test('If-None-Match', async (t) => {
  const { ask, jobs } = await serve(t);
  const put = (value: string) =>
    ask({ method: 'PUT', path: '/jobs/k/j?interval=60', headers: { 'if-none-match': value } });
  t.equal((await put('*')).status, 201);
  t.equal(jobs.calls[0]?.onlyCreate, true);
  t.match(await put('*'), { status: 412, body: { code: 'precondition_failed' } });
  jobs.calls.length = 0;
  t.match(await put('"tag"'), { status: 400, body: { parameter: 'If-None-Match' } });
  t.match(await put('*, "tag"'), { status: 400, body: { parameter: 'If-None-Match' } });
  for (const method of ['POST', 'DELETE']) {
    const answer = await ask({ method, path: '/jobs/k/j', headers: { 'if-none-match': '*' } });
    t.match(answer, { status: 400, body: { parameter: 'If-None-Match', detail: /is taken by PUT alone/ } });
  }
  t.same(jobs.calls, []);
  const get = await ask({ path: '/jobs/k/j', headers: { 'if-none-match': '"tag"' } });
  t.equal(get.status, 200, 'for a GET it could only save the transfer');
});

t.test('conditions that cannot be judged', async (t) => {
  const { ask, jobs } = await serve(t);
  const conditions: [string, string][] = [
    ['If-Match', 'tag'],
    ['If-Match', '"a" "b"'],
    ['If-Unmodified-Since', 'Tue, 11 Nov 2014 22:10:40 GMT'],
  ];
  for (const [parameter, value] of conditions) {
    for (const method of ['PUT', 'GET', 'POST', 'DELETE']) {
      const path = method === 'PUT' ? '/jobs/k/j?interval=60' : '/jobs/k/j';
      const answer = await ask({ method, path, headers: { [parameter]: value } });
      t.match(
        answer,
        {
          status: 400,
          body: {
            code: 'invalid_parameter',
            parameter,
            detail: /no times of change: nothing was done|must be \* or entity tags/,
          },
        },
        `${method} ${parameter}`,
      );
    }
  }
  t.same(jobs.calls, []);
});

t.test('entity tags', async (t) => {
  const { ask, jobs } = await serve(t);
  const put = await ask({ method: 'PUT', path: '/jobs/k/j?interval=60' });
  const tag = put.headers.etag as string;
  t.match(tag, /^"[0-9a-z]+\.1"$/);
  t.equal((await ask({ path: '/jobs/k/j' })).headers.etag, tag, 'a GET has the same');
  for (const [value, status] of [
    [tag, 200],
    [`"other", ${tag}`, 200],
    ['*', 200],
    ['"other"', 412],
    [`W/${tag}`, 412],
  ] as const) {
    t.equal((await ask({ path: '/jobs/k/j', headers: { 'if-match': value } })).status, status, value);
  }
  t.equal(jobs.calls.length, 7);
});

t.test('what the service refuses', async (t) => {
  const { ask, jobs, errors } = await serve(t);
  const put = () => ask({ method: 'PUT', path: '/jobs/k/j?interval=60' });
  jobs.failure = new DalgaError('outcome_unknown', 'MySQL went away');
  const unknown = await put();
  t.match(unknown, { status: 503, body: { code: 'outcome_unknown', detail: 'MySQL went away' } });
  t.match(unknown.headers, { 'retry-after': '1', 'content-type': 'application/problem+json' });
  jobs.failure = new DalgaError('insufficient_memory', 'full');
  t.match(await put(), { status: 507, headers: { 'retry-after': undefined } });
  t.same(errors, [], 'not logged');

  const failure = new Error('secret: the row is null');
  jobs.failure = failure;
  const internal = await put();
  t.match(internal, { status: 500, body: { code: 'internal' } });
  t.equal(internal.headers['content-type'], 'application/problem+json');
  t.notMatch(internal.text, /secret|row is null/);
  t.match(errors, [{ err: failure, method: 'PUT', route: '/jobs/:routing_key/:job' }]);
});
