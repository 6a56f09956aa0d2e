import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { DalgaError } from '../../../src/errors.ts';
import { changeRow, createRow, replaceRow } from '../../../src/job/change-row.ts';
import type { JobRow } from '../../../src/job/job.ts';
import { formatBulkJob, readBulkJob } from '../../../src/main-thread/http/bulk-job.ts';
import { type Ask, BODY_LIMIT, NOW, type Served, serve } from './harness.ts';

const NDJSON = { 'content-type': 'application/x-ndjson' };

function lines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

async function load({ ask }: Served, body: string): Promise<Record<string, unknown>[]> {
  const answer = await ask({ method: 'POST', path: '/jobs', headers: NDJSON, body });
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return lines(answer.text);
}

t.test('jobs are stored, a line each, as by a PUT', async (t) => {
  const served = await serve(t);
  const jobs = [
    { routing_key: 'check_feed', job: 'https://example.com/ä', interval: 60 },
    { routing_key: 'check_feed', job: '..a', interval: 'PT5M', first_run: '2030-01-31T12:00:00.250Z' },
    { routing_key: 'mail', job: '42', one_off: true, first_run: '2030-01-31T12:00:00Z' },
  ];
  const answer = await load(served, `${jobs.map((job) => JSON.stringify(job)).join('\n')}\n\n`);
  t.same(answer, [{ complete: true, lines: 3, stored: 3, created: 3, refused: 0 }]);
  t.match(served.jobs.calls, [
    {
      key: { routingKey: 'check_feed', job: 'https://example.com/ä' },
      request: { interval: { ms: 60_000 } },
    },
    { key: { job: '..a' }, request: { firstRun: Date.UTC(2030, 0, 31, 12, 0, 0, 250) } },
    { key: { routingKey: 'mail', job: '42' }, request: { oneOff: true } },
  ]);
  t.same(await load(served, JSON.stringify(jobs[0])), [
    { complete: true, lines: 1, stored: 1, created: 0, refused: 0 },
  ]);
});

t.test('what an empty Dalga exports can be loaded', async (t) => {
  const { ask } = await serve(t);
  const nothing = [{ complete: true, lines: 0, stored: 0, created: 0, refused: 0 }];
  for (const headers of [NDJSON, { ...NDJSON, 'content-length': '0' }]) {
    const { status, text } = await ask({ method: 'POST', path: '/jobs', headers });
    t.equal(status, 200);
    t.same(lines(text), nothing);
  }
  t.match(await ask({ method: 'POST', path: '/jobs' }), { status: 415 });
});

t.test(
  'what is wrong with a line names the line, the member and the rule; the others are stored',
  async (t) => {
    const served = await serve(t);
    const cases: [line: string, refusal: Record<string, unknown>][] = [
      ['{"routing_key":"a","job":"1","interval":0}', { code: 'invalid_parameter', parameter: 'interval' }],
      ['{"routing_key":"a","job":"1"}', { code: 'invalid_parameter', parameter: 'interval' }],
      ['{"job":"1","interval":1}', { parameter: 'routing_key', detail: 'routing_key is required' }],
      ['{"routing_key":"a","job":7,"interval":1}', { parameter: 'job', detail: 'job must be a string' }],
      ['{"routing_key":"a","job":"","interval":1}', { parameter: 'job', detail: /1 to 20000 bytes/ }],
      [
        `{"routing_key":"${'k'.repeat(256)}","job":"1","interval":1}`,
        { parameter: 'routing_key', detail: /256 bytes/ },
      ],
      ['{"routing_key":"a","job":"..","interval":1}', { parameter: 'job' }],
      ['{"routing_key":"a","job":"\\ud800","interval":1}', { parameter: 'job', detail: /Unicode/ }],
      [
        '{"routing_key":"a","job":"1","interval":1,"intreval":2}',
        { code: 'unknown_parameter', detail: /interval/ },
      ],
      ['{"routing_key":"a","job":"1","interval":1,"interval":2}', { code: 'duplicate_parameter' }],
      ['{"routing_key":"a","job":"1","interval":1,"anchored":0}', { parameter: 'anchored' }],
      [
        '{"routing_key":"a","job":"1","interval":1,"anchored":false}',
        { parameter: 'anchored', detail: /first_run/ },
      ],
      ['{"routing_key":"a","job":"1","interval":"60"}', { parameter: 'interval', detail: /in JSON/ }],
      ['[1]', { code: 'malformed_request', detail: /the line must be an object/ }],
      ['nonsense', { code: 'malformed_request', detail: /the line is not JSON/ }],
      ['x'.repeat(BODY_LIMIT + 1), { code: 'body_too_large' }],
    ];
    const good = (job: number) => JSON.stringify({ routing_key: 'a', job: `good-${job}`, interval: 60 });
    const answer = await load(served, cases.flatMap(([line], index) => [good(index), line]).join('\n'));
    for (const [index, [line, refusal]] of cases.entries()) {
      t.match(answer[index], { line: 2 * index + 2, ...refusal }, line.slice(0, 60));
    }
    const { length } = cases;
    t.same(answer.at(-1), {
      complete: true,
      lines: 2 * length,
      stored: length,
      created: length,
      refused: length,
    });
    t.equal(served.jobs.rows.size, length);
    t.same(served.errors, []);
  },
);

t.test('a refusal of one job, when it is stored, is told like the others', async (t) => {
  const served = await serve(t);
  served.jobs.faults.set('2', new DalgaError('insufficient_memory', 'full'));
  const body = [1, 2, 3]
    .map((job) => JSON.stringify({ routing_key: 'a', job: `${job}`, interval: 1 }))
    .join('\n');
  t.match(await load(served, body), [
    { line: 2, code: 'insufficient_memory' },
    { complete: true, lines: 3, stored: 2, refused: 1 },
  ]);
});

t.test("a fault that is no line's own ends it, and the last line says so", async (t) => {
  const served = await serve(t);
  served.jobs.faults.set('1500', new DalgaError('database_unavailable', 'MySQL is away'));
  const body = Array.from(
    { length: 5000 },
    (_, job) => `{"routing_key":"a","job":"${job}","interval":1}`,
  ).join('\n');
  const answer = await load(served, body);
  const last = answer.at(-1)!;
  t.match(last, { complete: false, code: 'database_unavailable', detail: 'MySQL is away' });
  t.equal(served.jobs.rows.size, last.stored, 'what it counts as stored is stored');
  t.ok((last.stored as number) >= 1999 && (last.stored as number) < 5000);
});

t.test('a line is told all that a line takes', async (t) => {
  const [refusal] = await load(await serve(t), '{"routing_key":"a","job":"1","interval":1,"nosuch":1}');
  t.match(refusal?.detail, /a line takes interval, .*\bnot_before\b/);
  t.notMatch(refusal?.detail, /\bshift\b/);
});

t.test('no batch overtakes one that waits for what RabbitMQ says of an exchange', async (t) => {
  const { jobs, ...served } = await serve(t);
  const putAll = jobs.putAll.bind(jobs);
  jobs.putAll = async (puts) => {
    if (puts.some(({ request }) => request.message?.exchange !== undefined)) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return putAll(puts);
  };
  const line = (interval: number, exchange?: string) =>
    JSON.stringify({ routing_key: 'a', job: 'same', interval, exchange });
  const others = Array.from({ length: 1000 }, (_, job) => `{"routing_key":"a","job":"${job}","interval":1}`);
  const body = [line(60, 'feeds'), ...others, line(120)].join('\n');
  t.match(await load({ jobs, ...served }, body), [{ complete: true, stored: 1002, created: 1001 }]);
  t.match(jobs.rows.get(JSON.stringify({ routingKey: 'a', job: 'same' }))?.schedule, { intervalMs: 120_000 });
});

t.test('a stop ends a load at once, and the rest of its body is thrown away', async (t) => {
  const { port, jobs } = await serve(t);
  jobs.faults.set('1500', new DalgaError('stopping', 'this instance is stopping'));
  const socket = connect({ host: '127.0.0.1', port });
  const line = (job: number) => `{"routing_key":"a","job":"${job}","interval":1}\n`;
  const first = ['nonsense\n', ...Array.from({ length: 2500 }, (_, job) => line(job))].join('');
  const rest = Array.from({ length: 100_000 }, (_, job) => line(job)).join('');
  const length = first.length + rest.length;
  socket.write(
    `POST /jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\nContent-Length: ${length}\r\n\r\n${first}`,
  );
  let text = '';
  for await (const data of socket.iterator({ destroyOnReturn: false })) {
    text += data;
    if (text.endsWith('\r\n0\r\n\r\n')) break;
  }
  const answer = [...text.matchAll(/^\{.*\}$/gm)].map(([told]) => JSON.parse(told));
  t.match(answer, [{ line: 1 }, { line: 1502, code: 'stopping' }, { complete: false, code: 'stopping' }]);
  t.equal(answer.at(-1).stored, jobs.rows.size, 'what it counts as stored is stored');
  const stored = jobs.rows.size;
  socket.write(`${rest}GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  text = '';
  for await (const data of socket) text += data;
  t.match(text, /^HTTP\/1\.1 200 /, 'the connection is as good as before');
  t.equal(jobs.rows.size, stored);
});

t.test('what nobody foresaw ends a load as a fault does, and is logged', async (t) => {
  const served = await serve(t);
  const bug = new Error('a bug');
  served.jobs.putAll = async (puts) => {
    if (puts.length > 0) throw bug;
    return [];
  };
  t.match(await load(served, '{"routing_key":"a","job":"1","interval":1}'), [
    { line: 1, code: 'internal' },
    { complete: false, lines: 1, stored: 0, refused: 1, code: 'internal' },
  ]);
  t.match(served.errors, [{ err: bug }]);
});

t.test('one that takes no writes says so before it reads anything', async (t) => {
  const { ask, jobs } = await serve(t);
  jobs.failure = new DalgaError('not_owner', 'the table is owned by another at 10.0.0.1:34006');
  const body = '{"routing_key":"a","job":"1","interval":1}';
  const answer = await ask({ method: 'POST', path: '/jobs', headers: NDJSON, body });
  t.match(answer, { status: 503, body: { code: 'not_owner' }, headers: { 'retry-after': '1' } });
});

t.test('other calls of the route are refused', async (t) => {
  const { ask } = await serve(t);
  const cases: [Ask, number, string][] = [
    [
      { method: 'POST', path: '/jobs', body: '{}', headers: { 'content-type': 'application/json' } },
      415,
      'unsupported_media_type',
    ],
    [{ method: 'POST', path: '/jobs' }, 415, 'unsupported_media_type'],
    [{ method: 'POST', path: '/jobs?interval=1', headers: NDJSON, body: '{}' }, 400, 'unknown_parameter'],
    [
      { method: 'PUT', path: '/jobs/a/b', headers: NDJSON, body: '{"interval":1}' },
      415,
      'unsupported_media_type',
    ],
    [{ path: '/jobs', headers: { accept: 'text/html' } }, 406, 'not_acceptable'],
    [{ path: '/jobs?x=1' }, 400, 'unknown_parameter'],
    [{ method: 'DELETE', path: '/jobs' }, 400, 'invalid_parameter'],
  ];
  for (const [ask_, status, code] of cases) {
    t.match(await ask(ask_), { status, body: { code } }, `${ask_.method} ${ask_.path} ${status}`);
  }
});

t.test('a client that writes all before it reads is not waited for', async (t) => {
  const { port } = await serve(t);
  const socket = connect({ host: '127.0.0.1', port });
  await once(socket, 'connect');
  socket.pause();
  const bad = Array.from({ length: 50_000 }, (_, line) => `{"line":${line}}\n`).join('');
  socket.write(
    `POST /jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\nContent-Length: ${bad.length}\r\nConnection: close\r\n\r\n`,
  );
  await new Promise<void>((written) => socket.write(bad, () => written()));
  socket.resume();
  let text = '';
  socket.on('data', (data) => {
    text += data;
  });
  await once(socket, 'close');
  const answer = [...text.matchAll(/^\{.*\}$/gm)].map(([line]) => JSON.parse(line));
  t.same(answer.at(-1), { complete: true, lines: 50_000, stored: 0, created: 0, refused: 50_000 });
  t.equal(answer.filter(({ line }) => line !== undefined).length, 1000, 'the first 1,000 are told');
});

t.test('a body that breaks off leaves what came before it', async (t) => {
  const { port, jobs } = await serve(t);
  const socket = connect({ host: '127.0.0.1', port });
  const body = Array.from(
    { length: 1000 },
    (_, job) => `{"routing_key":"a","job":"${job}","interval":1}\n`,
  ).join('');
  const stored = new Promise<void>((resolve) => {
    const putAll = jobs.putAll.bind(jobs);
    jobs.putAll = async (puts) => {
      const outcomes = await putAll(puts);
      if (puts.length > 0) resolve();
      return outcomes;
    };
  });
  socket.write(
    `POST /jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000000\r\n\r\n${body}`,
  );
  await stored;
  socket.destroy();
  t.equal(jobs.rows.size, 1000);
});

t.test('an export is what an import takes', async (t) => {
  const served = await serve(t);
  const body = [
    '{"routing_key":"check_feed","job":"1234","interval":60}',
    '{"routing_key":"check_feed","job":"anchored","interval":"PT5M","first_run":"2030-01-31T12:00:00.250Z"}',
    '{"routing_key":"mail","job":"late","one_off":true,"interval":3600}',
    '{"routing_key":"mail","job":"at","one_off":true,"first_run":"2030-01-31T12:00:00.000Z"}',
  ].join('\n');
  await load(served, body);
  const { status, headers, text } = await served.ask({
    path: '/jobs',
    headers: { accept: 'application/x-ndjson' },
  });
  t.equal(status, 200);
  t.equal(headers['content-type'], 'application/x-ndjson');
  const phase = (ms: number) => new Date(NOW + ms).toISOString();
  t.same(lines(text), [
    { routing_key: 'check_feed', job: '1234', interval: 60, first_run: phase(60_000), anchored: false },
    { routing_key: 'check_feed', job: 'anchored', interval: 'PT5M', first_run: '2030-01-31T12:00:00.250Z' },
    {
      routing_key: 'mail',
      job: 'late',
      interval: 3600,
      first_run: phase(3_600_000),
      one_off: true,
      anchored: false,
    },
    { routing_key: 'mail', job: 'at', first_run: '2030-01-31T12:00:00.000Z', one_off: true },
  ]);
  const copy = await serve(t);
  await load(copy, text);
  t.same(
    [...copy.jobs.rows.values()].map(({ schedule }) => schedule),
    [...served.jobs.rows.values()].map(({ schedule }) => schedule),
  );
});

t.test('what keeps a job back goes with its export', async (t) => {
  const named = { hash: new Uint8Array(16), routingKey: Buffer.from('mail'), job: Buffer.from('42') };
  const row = createRow(named, { interval: { ms: null, text: 'P1M' }, firstRun: NOW }, NOW, 7);
  const kept = changeRow(row, named.hash, { notBefore: NOW + 4_000_000_000 }, NOW + 1000);
  const { request } = readBulkJob(Buffer.from(formatBulkJob(kept, NOW + 1000).trim()));
  const imported = createRow(named, request, NOW + 2000, 7);
  t.same(imported.schedule, kept.schedule);
  t.equal(createRow(named, request, NOW + 5_000_000_000, 7).schedule.rules, undefined, 'until it is past');
  t.same(
    replaceRow(row, named.hash, request, NOW + 2000).schedule,
    kept.schedule,
    'over one that is not kept',
  );
  t.equal(replaceRow(kept, named.hash, request, NOW + 2000), kept, 'the same again writes nothing');
  const served = await serve(t);
  t.match(await load(served, formatBulkJob(kept, NOW + 1000)), [{ complete: true, stored: 1 }]);
  t.match(await load(served, '{"routing_key":"mail","job":"42","interval":1,"shift":1}'), [
    { parameter: 'shift' },
    { complete: true, stored: 0 },
  ]);
});

t.test('an export tells how many runs are left', async (t) => {
  const named = { hash: new Uint8Array(16), routingKey: Buffer.from('mail'), job: Buffer.from('42') };
  const minute = { interval: { ms: 60_000, text: null }, maxRuns: 5 };
  const row = createRow(named, minute, NOW, 7);
  const left = (of: JobRow, now: number) => JSON.parse(formatBulkJob(of, now) || '{}').max_runs;
  t.equal(left(row, NOW), 5);
  t.equal(left(row, NOW + 120_001), 3);
  t.equal(left(row, NOW + 300_000), 1);
  t.equal(formatBulkJob(row, NOW + 300_001), '', 'one that has none is only waiting to be removed');
  const paused = changeRow(row, named.hash, { enabled: false }, NOW + 120_001);
  t.equal(left(paused, NOW + 900_000), 3, 'none of a pause');
  const schedule = {
    ...row.schedule,
    rules: { maxRuns: 5, location: 'Europe/Atlantis', exclude: ['* * * * *'] },
  };
  t.equal(left({ ...row, schedule }, NOW + 120_001), 5, 'of a schedule that cannot be told any more');
  t.equal(left(createRow(named, { ...minute, maxRuns: undefined }, NOW, 7), NOW), undefined);
});
