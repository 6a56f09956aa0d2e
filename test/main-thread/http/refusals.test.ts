import t from 'tap';
import { type Ask, BODY_LIMIT, isRefusal, serve } from './harness.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const JSON_TYPE = { 'content-type': 'application/json' };

t.test('parameters', async (t) => {
  const served = await serve(t);
  const path = '/jobs/k/j';
  const whole = /must be a whole number of seconds from 1 to 4294967295, or an ISO 8601 duration/;
  const query = (text: string): Ask => ({ path: `${path}?${text}` });
  const form = (text: string): Ask => ({ path, headers: FORM, body: text });
  const json = (text: string): Ask => ({ path, headers: JSON_TYPE, body: text });
  const cases: [ask: Ask, code: string, parameter: string | undefined, detail: RegExp][] = [];
  for (const value of ['0', '-1', '1.5', '4294967296', '', 'abc', '1e3', '+5', ' 5', 'P1.5D', 'PT', 'PT0S']) {
    cases.push([query(`interval=${encodeURIComponent(value)}`), 'invalid_parameter', 'interval', whole]);
    cases.push([form(`interval=${encodeURIComponent(value)}`), 'invalid_parameter', 'interval', whole]);
  }
  for (const value of [
    '0',
    '-1',
    '1.5',
    '4294967296',
    '""',
    '"abc"',
    '"60"',
    'null',
    'true',
    '[60]',
    '{}',
    '1e400',
  ]) {
    cases.push([json(`{"interval":${value}}`), 'invalid_parameter', 'interval', whole]);
  }
  cases.push([query('interval'), 'invalid_parameter', 'interval', whole]);
  cases.push([query(''), 'invalid_parameter', 'interval', /is required/]);

  for (const value of ['"true"', '1', 'null']) {
    cases.push([json(`{"one_off":${value}}`), 'invalid_parameter', 'one_off', /must be true or false/]);
    cases.push([json(`{"immediate":${value}}`), 'invalid_parameter', 'immediate', /must be true or false/]);
  }
  for (const value of ['', 'yes', 'TRUE', '2']) {
    cases.push([query(`one-off=${value}`), 'invalid_parameter', 'one_off', /must be true or false/]);
    cases.push([form(`immediate=${value}`), 'invalid_parameter', 'immediate', /must be true or false/]);
  }

  const time = (value: string) => query(`interval=60&first_run=${encodeURIComponent(value)}`);
  cases.push([time('2030-01-31T12:00:00'), 'invalid_parameter', 'first_run', /the zone is missing/]);
  cases.push([time('2030-02-30T12:00:00Z'), 'invalid_parameter', 'first_run', /calendar does not have/]);
  cases.push([time('2030-02-03'), 'invalid_parameter', 'first_run', /RFC 3339 time with a zone/]);
  cases.push([json('{"first_run":1893456000}'), 'invalid_parameter', 'first_run', /must be a string/]);
  cases.push([
    query('interval=60&first_run=2030-01-31T12:00:00+02:00'),
    'invalid_parameter',
    'first_run',
    /must be written as %2B/,
  ]);
  cases.push([
    query('interval=60&immediate=true&first_run=2030-01-31T12:00:00Z'),
    'invalid_parameter',
    'first_run',
    /exclude each other/,
  ]);
  cases.push([query('one_off=true'), 'invalid_parameter', 'first_run', /is required for a one_off job/]);

  const known = /is not known: PUT takes interval, cron, first_run, .*, reply_to, type$/;
  const meant = (name: string) => new RegExp(`is not known: did you mean ${name}\\?$`);
  cases.push([query('intervall=60'), 'unknown_parameter', 'intervall', meant('interval')]);
  cases.push([form('intervall=60'), 'unknown_parameter', 'intervall', meant('interval')]);
  cases.push([json('{"intervall":60}'), 'unknown_parameter', 'intervall', meant('interval')]);
  cases.push([json('{"Interval":60}'), 'unknown_parameter', 'Interval', meant('interval')]);
  cases.push([json('{"firstRun":60}'), 'unknown_parameter', 'firstRun', meant('first_run')]);
  cases.push([query('one-of=1'), 'unknown_parameter', 'one-of', meant('one-off')]);
  cases.push([json('{"__proto__":60}'), 'unknown_parameter', '__proto__', known]);
  cases.push([query('=60'), 'unknown_parameter', '', known]);
  const ofPut = /is not known: PUT takes (?!.*\b(?:not_before|shift)\b)/;
  cases.push([json('{"__proto__":60}'), 'unknown_parameter', '__proto__', ofPut]);
  cases.push([
    query('interval=60&expiration=x'),
    'invalid_parameter',
    'expiration',
    /such as PT5M, or none$/,
  ]);
  const long = 'x'.repeat(3000);
  const shown = `${'x'.repeat(64)}…`;
  cases.push([query(`${long}=60`), 'unknown_parameter', shown, known]);
  cases.push([json(`{"${long}":60}`), 'unknown_parameter', shown, known]);
  cases.push([json(`{"${'y'.repeat(63)}🍣":60}`), 'unknown_parameter', `${'y'.repeat(63)}…`, known]);
  const longTwice = `{"${'x'.repeat(1500)}":1,"${'x'.repeat(1500)}":2}`;
  cases.push([json(longTwice), 'duplicate_parameter', shown, /^x{64}… was given more than once/]);
  cases.push([query('interval=%zz'), 'invalid_parameter', 'interval', /malformed percent-encoding/]);
  cases.push([query('interval=%ff'), 'invalid_parameter', 'interval', /is not UTF-8/]);
  cases.push([query('%ff=1'), 'invalid_parameter', '%ff', /is not UTF-8/]);
  cases.push([form('interval=%c3%28'), 'invalid_parameter', 'interval', /is not UTF-8/]);

  cases.push([json('[{"interval":60}]'), 'malformed_request', undefined, /must be an object/]);
  cases.push([json('60'), 'malformed_request', undefined, /must be an object/]);
  cases.push([json('null'), 'malformed_request', undefined, /must be an object/]);
  cases.push([json('{"interval":60'), 'malformed_request', undefined, /is not JSON/]);
  cases.push([json('{"interval":NaN}'), 'malformed_request', undefined, /is not JSON/]);
  cases.push([json(' '), 'malformed_request', undefined, /is not JSON/]);
  cases.push([
    { path, headers: JSON_TYPE, body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]) },
    'malformed_request',
    undefined,
    /not UTF-8/,
  ]);

  for (const [ask, code, parameter, detail] of cases) {
    await t.test(`${ask.path} ${ask.body ?? ''}`, async (t) => {
      const answer = await served.ask({ method: 'PUT', ...ask });
      isRefusal(t, served, answer, {
        status: 400,
        code,
        detail,
        ...(parameter === undefined ? {} : { parameter }),
      });
    });
  }

  await t.test('POST, GET and DELETE', async (t) => {
    const bad: [Ask, string, string | undefined, RegExp][] = [
      [{ method: 'POST', path: `${path}?interval=0` }, 'invalid_parameter', 'interval', whole],
      [{ method: 'POST', path: `${path}?x=0` }, 'unknown_parameter', 'x', /POST takes interval/],
      [
        { method: 'GET', path: `${path}?interval=60` },
        'unknown_parameter',
        'interval',
        /GET takes no parameters/,
      ],
      [{ method: 'DELETE', path: `${path}?interval=60` }, 'unknown_parameter', 'interval', /DELETE takes no/],
      [
        {
          method: 'DELETE',
          path,
          headers: { ...JSON_TYPE, 'content-length': '15' },
          body: '{"interval":60}',
        },
        'unknown_parameter',
        'interval',
        /DELETE takes no/,
      ],
      [
        { method: 'GET', path, headers: { 'content-length': '2' }, body: '{}' },
        'malformed_request',
        undefined,
        /takes no body/,
      ],
    ];
    for (const [ask, code, parameter, detail] of bad) {
      const expected = { status: 400, code, detail, ...(parameter === undefined ? {} : { parameter }) };
      isRefusal(t, served, await served.ask(ask), expected);
    }
  });
});

t.test('a parameter given twice, in whatever two places', async (t) => {
  const served = await serve(t);
  const pairs: [name: string, other: string, text: string, json: string, parameter: string][] = [
    ['interval', 'interval', '60', '60', 'interval'],
    ['one_off', 'one-off', 'true', 'true', 'one_off'],
    ['first-run', 'first_run', '2030-01-31T12:00:00Z', '"2030-01-31T12:00:00Z"', 'first_run'],
    ['immediate', 'immediate', 'false', 'false', 'immediate'],
  ];
  for (const [name, other, text, json, parameter] of pairs) {
    const asks: Record<string, Ask> = {
      'query and query': { path: `/jobs/k/j?${name}=${text}&${other}=${text}` },
      'form and form': { path: '/jobs/k/j', headers: FORM, body: `${name}=${text}&${other}=${text}` },
      'JSON and JSON': {
        path: '/jobs/k/j',
        headers: JSON_TYPE,
        body: `{"${name}":${json},"${other}":${json}}`,
      },
      'query and form': { path: `/jobs/k/j?${name}=${text}`, headers: FORM, body: `${other}=${text}` },
      'query and JSON': {
        path: `/jobs/k/j?${name}=${text}`,
        headers: JSON_TYPE,
        body: `{"${other}":${json}}`,
      },
    };
    for (const [place, ask] of Object.entries(asks)) {
      await t.test(`${name} and ${other}: ${place}`, async (t) => {
        const answer = await served.ask({ method: 'PUT', ...ask });
        isRefusal(t, served, answer, {
          status: 400,
          code: 'duplicate_parameter',
          parameter,
          detail: /more than once/,
        });
      });
    }
  }
  await t.test('the same JSON key, one written with an escape', async (t) => {
    const answer = await served.ask({
      method: 'POST',
      path: '/jobs/k/j',
      headers: JSON_TYPE,
      body: '{"one_off":true,"interval":60,"int\\u0065rval":60}',
    });
    isRefusal(t, served, answer, {
      status: 400,
      code: 'duplicate_parameter',
      parameter: 'interval',
      detail: /more than once/,
    });
  });
});

t.test('paths', async (t) => {
  const served = await serve(t);
  const key = /it must have 1 to 255 bytes of UTF-8/;
  const job = /it must have 1 to 20000 bytes of UTF-8/;
  const one = / must not be "\.", however it is encoded: in a URL that is a step in the path/;
  const two = / must not be "\.\.", however it is encoded: in a URL that is a step in the path/;
  const malformed = /malformed percent-encoding: a % must be followed by two hexadecimal digits/;
  const cases: [path: string, parameter: string, detail: RegExp][] = [
    ['/jobs//j', 'routing_key', /is empty/],
    ['/jobs//', 'routing_key', /is empty/],
    ['/jobs/k/', 'job', /is empty/],
    [`/jobs/${'k'.repeat(256)}/j`, 'routing_key', key],
    [`/jobs/${'%C3%BC'.repeat(128)}/j`, 'routing_key', /has 256 bytes/],
    [`/jobs/k/${'j'.repeat(20_001)}`, 'job', job],
    [`/jobs/k/${'%6a'.repeat(20_001)}`, 'job', /has 20001 bytes/],
    ['/jobs/k/%', 'job', malformed],
    ['/jobs/k/a%2', 'job', malformed],
    ['/jobs/k/%zz', 'job', malformed],
    ['/jobs/%g1/j', 'routing_key', malformed],
    ['/jobs/k/%ff', 'job', /is not UTF-8/],
    ['/jobs/%C3%28/j', 'routing_key', /is not UTF-8/],
    ['/jobs/k/%ED%A0%80', 'job', /is not UTF-8/],
    ['/jobs/k/%C0%AF', 'job', /is not UTF-8/],
    ['/jobs/k/%2F%ff', 'job', /is not UTF-8/],
    ['/jobs/k/.', 'job', one],
    ['/jobs/k/..', 'job', two],
    ['/jobs/k/%2E', 'job', one],
    ['/jobs/k/%2e.', 'job', two],
    ['/jobs/k/%2e%2E', 'job', two],
    ['/jobs/./j', 'routing_key', one],
    ['/jobs/%2e%2e/j', 'routing_key', two],
    ['/jobs/k/a#b', 'job', /%23$/],
  ];
  for (const [path, parameter, detail] of cases) {
    await t.test(path.slice(0, 40), async (t) => {
      for (const method of ['PUT', 'GET', 'POST', 'DELETE']) {
        const answer = await served.ask({ method, path: method === 'PUT' ? `${path}?interval=60` : path });
        isRefusal(t, served, answer, { status: 400, code: 'invalid_parameter', parameter, detail });
      }
    });
  }
  for (const path of [
    '/nothing',
    '/jobs/k',
    '/jobs/',
    '/jobs/k/j/',
    '/jobs/a/b/c',
    '//jobs/k/j',
    '/Jobs/k/j',
    '/docs/static/nothing.js',
  ]) {
    const answer = await served.ask({ path });
    isRefusal(t, served, answer, { status: 404, code: 'not_found', detail: /nothing at this path/ });
  }
  for (const path of ['/%ff', '/docs/static/%ff']) {
    isRefusal(t, served, await served.ask({ path }), {
      status: 400,
      code: 'malformed_request',
      detail: /percent-encoding/,
    });
  }
});

t.test('methods', async (t) => {
  const served = await serve(t);
  const call = 'DELETE, GET, HEAD, PATCH, POST, PUT';
  const cases: [method: string, path: string, allow: string][] = [
    ...['OPTIONS', 'TRACE', 'PROPFIND'].map((method): [string, string, string] => [
      method,
      '/jobs/k/j',
      call,
    ]),
    ['OPTIONS', '/jobs/k/%ff', call],
    ['POST', '/healthz', 'GET, HEAD'],
    ['DELETE', '/readyz', 'GET, HEAD'],
    ['PUT', '/openapi.json', 'GET, HEAD'],
    ['POST', '/docs', 'GET, HEAD'],
    ['OPTIONS', '/metrics', 'GET, HEAD'],
    ['POST', '/', 'GET, HEAD'],
  ];
  for (const [method, path, allow] of cases) {
    const answer = await served.ask({ method, path, headers: { 'content-type': 'text/plain' }, body: 'x' });
    isRefusal(t, served, answer, {
      status: 405,
      code: 'method_not_allowed',
      detail: new RegExp(`^${method} .*${allow}`),
    });
    t.equal(answer.headers.allow, allow);
  }
  const unknown = await served.raw('BREW /jobs/k/j HTTP/1.1\r\nHost: x\r\n\r\n');
  isRefusal(t, served, unknown, { status: 405, code: 'method_not_allowed', detail: /^BREW is not allowed/ });
  t.equal(unknown.headers.allow, call);
  const connect = await served.raw('CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n');
  isRefusal(t, served, connect, {
    status: 405,
    code: 'method_not_allowed',
    detail: /^CONNECT is not allowed/,
  });
});

t.test('bodies', async (t) => {
  const served = await serve(t);
  const ask = { method: 'PUT', path: '/jobs/k/j?interval=60' };
  for (const size of [BODY_LIMIT + 1, 8 * 1024 * 1024]) {
    for (const framing of [JSON_TYPE, { ...JSON_TYPE, 'transfer-encoding': 'chunked' }]) {
      const answer = await served.ask({
        ...ask,
        headers: framing,
        body: `{"first_run":"${'x'.repeat(size)}"}`,
      });
      isRefusal(t, served, answer, { status: 413, code: 'body_too_large', detail: /limit of 4096 bytes/ });
    }
  }
  for (const type of ['text/plain', 'application/xml', 'multipart/form-data; boundary=x', 'nonsense', '']) {
    const answer = await served.ask({ ...ask, headers: { 'content-type': type }, body: 'interval=60' });
    isRefusal(t, served, answer, {
      status: 415,
      code: 'unsupported_media_type',
      detail: /application\/json or application\/x-www-form-urlencoded/,
    });
  }
  isRefusal(t, served, await served.ask({ ...ask, body: 'interval=60' }), {
    status: 415,
    code: 'unsupported_media_type',
    detail: /no Content-Type:/,
  });
  for (const type of [undefined, 'text/plain', 'application/x-www-form-urlencoded']) {
    for (const body of ['{"interval":60}', ' \r\n\t{ "interval": 60 }', '{']) {
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type };
      isRefusal(t, served, await served.ask({ ...ask, headers, body }), {
        status: 415,
        code: 'unsupported_media_type',
        detail: /looks like JSON \(then send Content-Type: application\/json\)/,
      });
    }
  }
  const gzip = await served.ask({ ...ask, headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: 'x' });
  isRefusal(t, served, gzip, { status: 415, code: 'unsupported_media_type', detail: /Content-Encoding/ });
});

t.test('conditions of calls that judge none, and parameters of calls that take none', async (t) => {
  const { ask } = await serve(t);
  for (const [method, path] of [
    ['POST', '/jobs/k/j/run'],
    ['POST', '/jobs/k/j/backfill?from=2014-01-01T00:00:00Z&to=2014-02-01T00:00:00Z'],
    ['PATCH', '/jobs?tag=a'],
    ['DELETE', '/jobs?tag=a'],
  ] as const) {
    for (const header of ['If-Match', 'If-None-Match']) {
      t.match(
        await ask({ method, path, headers: { [header.toLowerCase()]: '*' } }),
        { status: 400, body: { code: 'invalid_parameter', parameter: header } },
        `${method} ${path}`,
      );
    }
  }
  t.match(await ask({ path: '/jobs/k/j/history?zebra=2' }), {
    status: 400,
    body: { detail: 'zebra is not known: GET takes no parameters' },
  });
});

t.test('a refusal of an unknown parameter tells what is taken, and where', async (t) => {
  const { ask } = await serve(t);
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const filters = 'routing_key, routing_key_prefix, job_prefix, tag, kind, enabled, dry_run';
  const cases: [Ask, detail: RegExp | string][] = [
    [
      { method: 'POST', path: '/schedules/preview?interval=60&job=x' },
      /^job is not known: a preview takes interval, .*, type, count, from$/,
    ],
    [
      { method: 'POST', path: '/schedules/preview?interval=60&cont=5' },
      'cont is not known: did you mean count?',
    ],
    [
      {
        method: 'DELETE',
        path: '/jobs?routing_key=n&dry_run=true',
        headers: { ...form, 'content-length': '13' },
        body: 'dry_run=false',
      },
      'dry_run is not known: DELETE /jobs takes its parameters in the query string, not in a body',
    ],
    [
      { method: 'PATCH', path: '/jobs?routing_key=n&interval=5' },
      `interval is not known: PATCH /jobs takes ${filters} in the query string, and what is to change in the body`,
    ],
    [{ method: 'PATCH', path: '/jobs?routing_key=n&tags=a' }, 'tags is not known: did you mean tag?'],
    [
      { method: 'PATCH', path: '/jobs?routing_key=n', headers: form, body: 'interval=5&dry_run=true' },
      /^dry_run is not known: in its body PATCH \/jobs takes interval, /,
    ],
    [
      { method: 'DELETE', path: '/jobs?routing_key=n&interval=5' },
      `interval is not known: DELETE /jobs takes ${filters}`,
    ],
  ];
  for (const [call, detail] of cases) {
    t.match(await ask(call), { status: 400, body: { code: 'unknown_parameter', detail } }, call.path);
  }
});

t.test('numbers in headers that would come out as others', async (t) => {
  const { ask } = await serve(t);
  for (const value of ['1e400', '12345678901234567890', '-9007199254740992']) {
    const body = `{"interval":60,"headers":{"n":[${value}]}}`;
    t.match(await ask({ method: 'PUT', path: '/jobs/k/j', headers: JSON_TYPE, body }), {
      status: 400,
      body: { parameter: 'headers' },
    });
  }
  const body = '{"interval":60,"headers":{"n":[9007199254740991,0.5,-1e300]}}';
  t.match(await ask({ method: 'PUT', path: '/jobs/k/j', headers: JSON_TYPE, body }), { status: 400 });
});
