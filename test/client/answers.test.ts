import t from 'tap';
import { DalgaClient } from '../../src/client/client.ts';
import { freePorts } from '../../src/quickstart/free-port.ts';
import { serve } from '../main-thread/http/harness.ts';
import { type Handler, json, problem, stubServer } from './stub-server.ts';

const name = { routingKey: 'k', job: 'j' };
const job = { job: 'j', routing_key: 'k', interval: 60, next_run: null };

function html(status: number): Handler {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' }).end('<h1>Log in</h1>');
  };
}

t.test('a refusal of Dalga', async (t) => {
  const { port } = await serve(t);
  const dalga = new DalgaClient({ url: `http://127.0.0.1:${port}` });
  await t.rejects(dalga.put(name, { interval: 0 }), {
    ...{ name: 'DalgaProblem', status: 400, code: 'invalid_parameter', parameter: 'interval' },
    ...{ title: 'A parameter is invalid', message: /^interval must be/, retryAfter: undefined },
  });
});

t.test('a path that Dalga does not have is no job that it does not have', async (t) => {
  const { port } = await serve(t);
  const dalga = new DalgaClient({ url: `http://127.0.0.1:${port}/below` });
  for (const asked of [() => dalga.get(name), () => dalga.delete(name)])
    await t.rejects(async () => void (await asked()), {
      name: 'DalgaProblem',
      code: 'not_found',
      message: /nothing at this path/,
    });
});

t.test('what is no answer of Dalga is told', async (t) => {
  const cases: [handler: Handler, expected: { name: string; status?: number; message?: RegExp }][] = [
    [
      html(404),
      { name: 'NotDalga', status: 404, message: /is not Dalga: the answer is 404 and text\/html$/ },
    ],
    [
      html(200),
      { name: 'NotDalga', status: 200, message: /is not Dalga: the answer is 200 and text\/html$/ },
    ],
    [json(404, { error: 'none' }), { name: 'NotDalga', status: 404 }],
    [json(200, { hello: 1 }), { name: 'NotDalga', message: /JSON without "job"/ }],
    [json(200, null), { name: 'NotDalga', message: /JSON without "job"/ }],
    [
      (_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"job'),
      { name: 'NotDalga', message: /whose JSON is malformed/ },
    ],
    [
      json(404, { code: 'not_found', type: 'about:blank' }, { 'content-type': 'application/problem+json' }),
      { name: 'NotDalga', status: 404 },
    ],
    [html(502), { name: 'DalgaUnreachable', message: /cannot be reached: a proxy answers 502 for it$/ }],
  ];
  let handler: Handler = html(200);
  const { url } = await stubServer(t, (...all) => handler(...all));
  const dalga = new DalgaClient({ url });
  for (const [each, expected] of cases) {
    handler = each;
    await t.rejects(dalga.get(name), expected);
  }
  handler = html(404);
  await t.rejects(dalga.delete(name), { name: 'NotDalga' });
  handler = html(200);
  await t.rejects(dalga.delete(name), { name: 'NotDalga' });
  for (const stream of [dalga.export(), dalga.events()])
    await t.rejects(async () => void (await stream.next()), {
      name: 'NotDalga',
      message: /200 and text\/html/,
    });
  const login = await stubServer(t, html(200));
  handler = (_request, response) => response.writeHead(302, { location: login.url }).end();
  await t.rejects(dalga.get(name), {
    name: 'NotDalga',
    message: new RegExp(`it redirects to ${login.url}, where the answer is 200`),
  });
});

t.test('Retry-After, in seconds or as a date', async (t) => {
  let header = '';
  const { url } = await stubServer(t, (...all) =>
    problem(503, 'not_ready', { 'retry-after': header })(...all),
  );
  const dalga = new DalgaClient({ url });
  const retryAfter = async (text: string) => {
    header = text;
    const error = await dalga.get(name).catch((error: { retryAfter: number }) => error);
    return (error as { retryAfter: number }).retryAfter;
  };
  t.equal(await retryAfter('7'), 7);
  t.equal(await retryAfter('Wed, 21 Oct 2015 07:28:00 GMT'), 0);
  const inAnHour = await retryAfter(new Date(Date.now() + 3_600_000).toUTCString());
  t.ok(inAnHour > 3500 && inAnHour <= 3600);
  t.equal(await retryAfter('soon'), undefined);
});

t.test('a server that is away, is silent, or breaks off', async (t) => {
  const [port] = await freePorts(1);
  await t.rejects(new DalgaClient({ url: `http://127.0.0.1:${port}` }).status(), {
    name: 'DalgaUnreachable',
    url: `http://127.0.0.1:${port}`,
    message: `http://127.0.0.1:${port} cannot be reached (ECONNREFUSED)`,
    begun: false,
  });
  const silent = await stubServer(t, () => {});
  await t.rejects(new DalgaClient({ url: silent.url }).get(name, { timeout: 1 }), {
    name: 'DalgaUnreachable',
    message: /did not answer within 1 ms$/,
    begun: false,
  });
  const broken = await stubServer(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
    response.write('{"job":', () => response.destroy());
  });
  await t.rejects(new DalgaClient({ url: broken.url }).get(name), {
    name: 'DalgaUnreachable',
    message: /broke off its answer/,
    begun: true,
  });
});

t.test('a signal ends a call with its reason', async (t) => {
  const abort = new AbortController();
  const { url } = await stubServer(t, () => abort.abort(new Error('enough')));
  const dalga = new DalgaClient({ url });
  await t.rejects(dalga.get(name, { signal: abort.signal }), { message: 'enough' });
  await t.rejects(
    dalga.get(name, { signal: abort.signal }),
    { message: 'enough' },
    'one that is aborted already',
  );
});

t.test('the URL', async (t) => {
  const { url, requests } = await stubServer(t, json(200, job));
  for (const base of ['/dalga', '/dalga/', '//']) await new DalgaClient({ url: url + base }).get(name);
  await new DalgaClient({ url: new URL(url) }).get(name);
  t.same(
    requests.map(({ path }) => path),
    ['/dalga/jobs/k/j', '/dalga/jobs/k/j', '/jobs/k/j', '/jobs/k/j'],
  );
  const refused: [url: string, message: RegExp][] = [
    ['http://user:secret@127.0.0.1', /^url must not hold a user and a password.*headers/],
    ['127.0.0.1:34006', /^url must be one of http or https/],
    ['ftp://127.0.0.1', /^url must be one of http or https/],
    ['http://127.0.0.1/?a=1', /^url must have no query/],
  ];
  for (const [url, message] of refused)
    t.throws(() => new DalgaClient({ url }), { name: 'InvalidArgument', message });
});

t.test('headers of the caller, and a fetch of his own', async (t) => {
  let headers: Headers | undefined;
  const dalga = new DalgaClient({
    url: 'http://dalga.example',
    headers: { authorization: 'Bearer x' },
    fetch: async (_url, init) => {
      headers = init!.headers as Headers;
      return Response.json(job);
    },
  });
  await dalga.change(name, { interval: 60 }, { ifMatch: '"a"' });
  t.equal(headers!.get('authorization'), 'Bearer x');
  t.equal(headers!.get('if-match'), '"a"');
  t.equal(headers!.get('content-type'), 'application/json');
  await t.rejects(dalga.change(name, { interval: 60 }, { ifMatch: 'a\nb' }), { name: 'InvalidArgument' });
});
