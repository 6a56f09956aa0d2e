import fc from 'fast-check';
import mysql from 'mysql2/promise';
import t from 'tap';
import { wildRequest } from './helpers/bad-requests.ts';
import { exchange, readAnswers } from './helpers/http-wire.ts';
import { startService } from './helpers/service.ts';
import { type Ask, send, sendRaw } from './main-thread/http/harness.ts';

/** What is wrong, the request, and the answer: its status, code, parameter, and what its detail must say. */
type Case = [
  name: string,
  ask: Ask,
  status: number,
  code: string,
  parameter: string | undefined,
  detail: RegExp,
];

const JSON_TYPE = { 'content-type': 'application/json' };
/** The default of DALGA_HTTP_BODY_LIMIT, bytes. */
const BODY_LIMIT = 4 * 1024 * 1024;

function cases(): Case[] {
  const put = (query: string, more: Partial<Ask> = {}): Ask => ({
    method: 'PUT',
    path: `/jobs/bad/input?${query}`,
    ...more,
  });
  const at = (path: string): Ask => ({ method: 'PUT', path: `${path}?interval=60` });
  const interval = /must be a whole number of seconds from 1 to 4294967295, or an ISO 8601 duration/;
  const percent = /malformed percent-encoding: a % must be followed by two hexadecimal digits/;
  const wrong = 'invalid_parameter';
  return [
    ...['0', '-1', '1.5', '4294967296', '', 'abc'].map(
      (value): Case => [`interval=${value}`, put(`interval=${value}`), 400, wrong, 'interval', interval],
    ),
    ['no routing key', at('/jobs//input'), 400, wrong, 'routing_key', /is empty.*1 to 255 bytes of UTF-8/],
    [
      'a routing key of 256 bytes',
      at(`/jobs/${'k'.repeat(256)}/input`),
      400,
      wrong,
      'routing_key',
      /has 256 bytes.*1 to 255/,
    ],
    [
      'a job of 20,001 bytes',
      at(`/jobs/bad/${'j'.repeat(20_001)}`),
      400,
      wrong,
      'job',
      /has 20001 bytes.*1 to 20000/,
    ],
    ['% at the end of the path', at('/jobs/bad/input%'), 400, wrong, 'job', percent],
    ['%zz in the path', at('/jobs/%zz/input'), 400, wrong, 'routing_key', percent],
    ['bytes in the path that are no UTF-8', at('/jobs/bad/%ff'), 400, wrong, 'job', /is not UTF-8/],
    ['% in the query', put('interval=6%0'), 400, wrong, 'interval', percent],
    [
      'an unknown parameter',
      put('intervall=60'),
      400,
      'unknown_parameter',
      'intervall',
      /is not known: did you mean interval\?$/,
    ],
    [
      'a text where JSON has numbers',
      put('', { headers: JSON_TYPE, body: '{"interval":"60"}' }),
      400,
      wrong,
      'interval',
      /in JSON, a number or a string with a duration/,
    ],
    [
      'a number where JSON has booleans',
      put('', { headers: JSON_TYPE, body: '{"interval":60,"immediate":1}' }),
      400,
      wrong,
      'immediate',
      /must be true or false/,
    ],
    [
      'a body that is no JSON',
      put('', { headers: JSON_TYPE, body: '{"interval":' }),
      400,
      'malformed_request',
      undefined,
      /the body is not JSON/,
    ],
    [
      'a body beyond the limit',
      put('', { headers: JSON_TYPE, body: `{"first_run":"${'x'.repeat(BODY_LIMIT)}"}` }),
      413,
      'body_too_large',
      undefined,
      /larger than the limit of 4194304 bytes/,
    ],
    [
      'a method that the path does not take',
      { method: 'OPTIONS', path: '/jobs/bad/input?interval=60' },
      405,
      'method_not_allowed',
      undefined,
      /^OPTIONS is not allowed here: this path takes DELETE, GET, HEAD, PATCH, POST, PUT$/,
    ],
  ];
}

t.test('any bytes, against the program itself: never a 5xx, and what is stored is read back', async (t) => {
  const { url, httpPort, instance } = await startService(t);
  const settings = { seed: 20_141_111, numRuns: 120 };
  await fc.assert(
    fc.asyncProperty(wildRequest, async ({ method, bytes }) => {
      for (const { status, body } of readAnswers(await exchange(httpPort, bytes), [method === 'HEAD'])) {
        if (status >= 500) throw new Error(`answered with ${status}: ${body}`);
      }
    }),
    settings,
  );
  const name = (unit: 'binary' | 'grapheme') => fc.string({ unit, minLength: 1, maxLength: 40 });
  const names = fc.tuple(
    fc.oneof(name('binary'), name('grapheme')),
    fc.oneof(name('binary'), name('grapheme')),
  );
  let stored = 0;
  await fc.assert(
    fc.asyncProperty(names, async ([key, job]) => {
      fc.pre(![key, job].some((text) => text === '.' || text === '..' || Buffer.byteLength(text) > 255));
      const path = `/jobs/${encodeURIComponent(key)}/${encodeURIComponent(job)}`;
      const put = await send(httpPort, { method: 'PUT', path: `${path}?interval=3600` });
      const get = await send(httpPort, { path });
      if (put.status >= 300 || get.text !== put.text) throw new Error(`${put.text} and then ${get.text}`);
      const view = get.body as { job: string; routing_key: string };
      if (view.job !== job || view.routing_key !== key) throw new Error(`it is called ${get.text}`);
      stored++;
    }),
    settings,
  );
  t.ok(stored >= 120, 'stored and read back');
  const { log, child } = instance.process;
  t.same(
    log.filter(({ level }) => level === 'error' || level === 'fatal'),
    [],
  );
  t.equal(child.exitCode, null);
  t.equal((await fetch(`${url}/readyz`)).status, 200);
});

t.test('bad input, against the program itself: refused, and all is as before', async (t) => {
  const { url, httpPort, settings, instance } = await startService(t);
  const { host, port, user, password, database } = settings.mysql;
  const connection = await mysql.createConnection({ host, port, user, password, database });
  t.teardown(() => connection.end());
  const stored = async () => (await connection.query('SELECT * FROM dalga'))[0] as object[];
  t.equal((await fetch(`${url}/jobs/good/one?interval=3600`, { method: 'PUT' })).status, 201);
  const before = await stored();
  t.equal(before.length, 1);

  for (const [name, ask, status, code, parameter, detail] of cases()) {
    const answer = await send(httpPort, ask);
    const body = answer.body as Record<string, unknown>;
    t.match(body, { status, code, detail, type: `urn:dalga:error:${code}` }, name);
    t.equal(answer.status, status, name);
    t.equal(body.parameter, parameter, name);
    t.equal(answer.headers['content-type'], 'application/problem+json', name);
  }
  const unknown = await sendRaw(httpPort, 'BREW /jobs/bad/input?interval=60 HTTP/1.1\r\nHost: x\r\n\r\n');
  t.match(unknown, { status: 405, body: { code: 'method_not_allowed' } });
  t.match(unknown.headers, { allow: 'DELETE, GET, HEAD, PATCH, POST, PUT' });

  t.same(await stored(), before, 'nothing was stored, and nothing changed');
  const { log, child, stderr } = instance.process;
  t.same(
    log.filter(({ level }) => level !== 'info' && level !== 'debug'),
    [],
    'nothing was logged as an error, nor as a warning',
  );
  t.equal(stderr, '');
  t.ok(log.every(({ pid }) => pid === child.pid) && child.exitCode === null, 'the process is as before');
  t.equal((await fetch(`${url}/readyz`)).status, 200);
  t.equal((await fetch(`${url}/jobs/good/one?interval=60`, { method: 'PUT' })).status, 200, 'and works');
});
