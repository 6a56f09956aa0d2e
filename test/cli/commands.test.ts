import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import { DalgaError } from '../../src/errors.ts';
import { json, problem, stubServer } from '../client/stub-server.ts';
import { serve } from '../main-thread/http/harness.ts';
import { type ShellOptions, shell } from './shell.ts';

async function served(t: Test, options: ShellOptions = {}) {
  const { port, jobs } = await serve(t);
  const url = `http://127.0.0.1:${port}`;
  return { run: shell(url, options), url, jobs };
}

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'dalga-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

t.test('schedule, get, pause, resume, cancel', async (t) => {
  const { run } = await served(t);
  t.match(
    await run('schedule', 'k', 'a/b', '--interval', '60', '--tag', 'x', '--tag', 'y', '--payload', '42'),
    {
      code: 0,
      out: /^created: k a\/b, every 60 s, next run 2014-/,
    },
  );
  t.match(JSON.parse((await run('get', 'k', 'a/b', '--json')).out), {
    ...{ interval: 60, tags: ['x', 'y'], payload: '42' },
  });
  t.match(await run('schedule', 'k', 'a/b', '--cron', '@daily', '--location', 'Europe/Istanbul'), {
    out: /^stored: k a\/b, @daily Europe\/Istanbul, /,
  });
  t.match(await run('schedule', 'k', 'a/b', '--interval', '60', '--only-create'), { code: 2, err: /exists/ });
  t.match(await run('get', 'k', 'a/b'), { code: 0, out: /^job {10}a\/b\nrouting_key {2}k\n/ });
  t.match(await run('pause', 'k', 'a/b', '--note', 'moving'), { code: 0, out: /\(paused\), next run none/ });
  t.match(await run('list', '--paused'), { code: 0, out: 'k\ta/b\t@daily Europe/Istanbul (paused)\t-\n' });
  t.match(await run('list', '--running'), { code: 0, out: '' });
  t.match(await run('resume', 'k', 'a/b'), { code: 0, out: /^goes on: / });
  t.match(await run('next', 'k', 'a/b', '--count', '2'), {
    code: 0,
    out: /^2014-11-12T22:00:00Z\n2014-11-13T22:00:00Z\n$/,
  });
  t.match(await run('cancel', 'k', 'a/b'), { code: 0, out: 'deleted\n' });
  for (const name of ['cancel', 'get', 'next', 'pause', 'resume'])
    t.match(await run(name, 'k', 'a/b'), { code: 1, out: '', err: 'dalga: there is no such job\n' }, name);
});

t.test('every parameter of a job, and a payload of any bytes', async (t) => {
  const bytes = Uint8Array.of(0, 255);
  const { run, jobs } = await served(t, { stdin: Readable.from([bytes]) });
  const created = await run(
    ...['schedule', 'k', '1', '--interval', 'PT1M', '--first-run', '2030-01-01T00:00:00Z', '--max-runs', '5'],
    ...['--last-run', '2031-01-01T00:00:00Z', '--exclude', '2030-12-25', '--exclude', '* 0-6 * * *'],
    ...['--jitter', '5', '--misfire', 'skip', '--misfire-age', '60', '--paused', '--note', '42'],
    ...['--payload-file', '-', '--content-type', 'a/b', '--headers', '{"depth":2}', '--priority', '5'],
    ...['--expiration', 'none', '--correlation-id', '1', '--reply-to', '2', '--type', '3', '--json'],
  );
  t.equal(created.code, 0, created.err);
  t.match(JSON.parse(created.out), {
    ...{ interval: 'PT1M', max_runs: 5, last_run: '2031-01-01T00:00:00Z', jitter: 5, misfire: 'skip' },
    ...{
      exclude: ['2030-12-25', '* 0-6 * * *'],
      misfire_age: 60,
      enabled: false,
      note: '42',
      content_type: 'a/b',
    },
    ...{
      payload: 'AP8=',
      payload_encoding: 'base64',
      headers: { depth: 2 },
      priority: 5,
      expiration: 'none',
    },
    ...{ correlation_id: '1', reply_to: '2', type: '3' },
  });
  t.equal(jobs.calls[0]!.request!.firstRun, Date.UTC(2030, 0, 1));
});

t.test('list on a terminal, and what comes after a page', async (t) => {
  const { run, url } = await served(t, { isTTY: true });
  for (const job of ['1', '2']) await run('schedule', 'k', job, '--interval', '60');
  const first = await run('list', '--limit', '1');
  t.match(first, { code: 0, err: /there are more/ });
  t.match(first.out, /^ROUTING KEY {2}JOB {2}SCHEDULE {4}NEXT RUN\nk {12}1 {4}every 60 s {2}2014-\S+\n$/);
  const { next } = JSON.parse((await shell(url)('list', '--limit', '1', '--json')).out);
  t.match((await run('list', '--cursor', next)).out, /\nk {12}2 /);
});

t.test('preview', async (t) => {
  const { run } = await served(t);
  t.match(await run('preview', '--cron', '0 0 L * *', '--from', '2028-01-01T00:00:00Z', '--count', '2'), {
    code: 0,
    out: '2028-01-31T00:00:00Z\n2028-02-29T00:00:00Z\n',
  });
  t.match(await run('preview', '--cron', '0 0 30 2 *'), { code: 2, err: /^dalga: cron / });
});

t.test('status, forecast, history', async (t) => {
  const { run } = await served(t);
  t.match(await run('status'), {
    code: 0,
    out: /^lease {4,}starting\n.*\nversions +dalga 1\.2\.3, .*mysql \?/s,
  });
  t.match(JSON.parse((await run('status', '--json')).out), { lease: 'starting' });
  t.match(await run('forecast'), {
    code: 3,
    err: /^dalga: Dalga cannot do it now: another instance owns the table/,
  });
  t.match(await run('history', 'k', 'j'), { code: 3 });
});

t.test('history in words, and a table', async (t) => {
  const entry = { scheduled_at: '2030-01-01T00:00:00Z', sent_at: null, at: '2030-01-01T00:00:00Z' };
  const entries = [
    { ...entry, event: 'published', late_ms: 3, count: 2 },
    { ...entry, event: 'skipped', late_ms: null, count: 4 },
  ];
  const told = { job: 'j', routing_key: 'k', why: 'It is paused.', next_run: null, entries };
  const { url } = await stubServer(t, json(200, told));
  const { out } = await shell(url)('history', 'k', 'j');
  const at = '2030-01-01T00:00:00Z';
  t.equal(out, `It is paused.\n${at}\tpublished\t3 ms\tstands for 2 more\n${at}\tskipped\t-\t4 runs\n`);
});

t.test('a forecast is drawn, also with jobs that are not there', async (t) => {
  const forecast = {
    ...{ from: '2030-01-01T00:00:00.500Z', to: '2030-01-01T00:00:20Z', step: 10, sampled: 0.25, total: 5 },
    ...{
      steps: [4, 1],
      routes: [
        { routing_key: 'k', steps: [3, 1] },
        { routing_key: null, steps: [1, 0] },
      ],
    },
  };
  const added = { sampled: 1, total: 10, steps: [5, 5], routes: [{ routing_key: 'k', steps: [5, 5] }] };
  const { url, requests } = await stubServer(t, json(200, { ...forecast, added }));
  const { out } = await shell(url, { isTTY: true })('forecast', '--step', '10');
  t.equal(
    out,
    [
      `2030-01-01 00:00:00  4  ${'█'.repeat(56)}`,
      `2030-01-01 00:00:10  1  ${'█'.repeat(14)}`,
      '',
      '5 messages, by a sample of 25.0 % of the jobs; at most 4 in 10 s',
      '',
      'ROUTING KEY  MESSAGES',
      'k            4',
      '(others)     1',
      '',
    ].join('\n'),
  );
  const more = ['--add', '200000', '--routing-key', 'k', '--interval', '300', '--phase', 'spread'];
  const with200000 = await shell(url)('forecast', '--step', '10', ...more);
  t.equal(with200000.out, '2030-01-01T00:00:00Z\t9\n2030-01-01T00:00:10Z\t6\n');
  const onTerminal = await shell(url, { isTTY: true })('forecast', '--step', '10', ...more);
  t.match(
    onTerminal.out,
    /\n15 messages.*; 10 of them are of the jobs that are not there\n.*\nk \(added\) +10\n$/s,
  );
  t.same(
    requests.slice(0, 2).map(({ method, path, body }) => [method, path, body && JSON.parse(body)]),
    [
      ['GET', '/forecast?step=10', ''],
      [
        'POST',
        '/forecast',
        { step: 10, schedules: [{ count: 200_000, interval: 300, phase: 'spread', routing_key: 'k' }] },
      ],
    ],
  );
  t.match(await shell(url)('forecast', '--interval', '60'), { code: 2, err: /--interval .* goes with it/ });
  t.match(await shell(url)('forecast', '--add', '60'), { code: 2, err: /--add needs --routing-key/ });
});

t.test('run, backfill, backfills', async (t) => {
  const backfill = {
    ...{ id: '7', kind: 'backfill', job: 'j', routing_key: 'k', from: 'A', to: 'B', position: null },
    ...{ published: 3, created: 'C' },
  };
  let status = 202;
  const { url, requests } = await stubServer(t, (request, response, body) => {
    if (status === 404) problem(404, 'not_found')(request, response, body);
    else if (request.method === 'DELETE') response.writeHead(204).end();
    else if (request.url === '/backfills') json(200, { backfills: [backfill] })(request, response, body);
    else
      json(status, request.url?.endsWith('/run') ? { ...backfill, kind: 'run' } : backfill)(
        request,
        response,
        body,
      );
  });
  const run = shell(url);
  t.equal((await run('run', 'k', 'j')).out, 'is published now, as 7: a run of k j\n');
  const begun = await run('backfill', 'k', 'j', '--from', 'A', '--to', 'B');
  t.equal(begun.out, 'is being published, as 7: the runs from A to B of k j\n');
  t.equal((await run('backfills')).out, '7\tbackfill\tk\tj\tA\tB\t-\t3\n');
  t.match((await run('backfills', '7')).out, /^id {11}7\n/);
  t.equal((await run('backfills', '7', '--stop')).out, 'stopped\n');
  t.same(
    requests.map(({ method, path }) => `${method} ${path}`),
    [
      ...['POST /jobs/k/j/run', 'POST /jobs/k/j/backfill?from=A&to=B', 'GET /backfills'],
      ...['GET /backfills/7', 'DELETE /backfills/7'],
    ],
  );
  t.match(await run('backfill', 'k', 'j'), { code: 2, err: /--from and --to are needed/ });
  t.match(await run('backfills', '--stop'), { code: 2, err: /--stop needs an ID/ });
  status = 404;
  for (const args of [['7'], ['7', '--stop']])
    t.match(await run('backfills', ...args), { code: 1, err: 'dalga: there is no such backfill\n' });
});

t.test('events, a line each', async (t) => {
  const { url, requests } = await stubServer(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('event: published\ndata: {"at":"2030","routing_key":"k","job":"a\\n","late_ms":3}\n\n');
    response.end('event: sampled\ndata: {"at":"2031","left_out":{"published":7}}\n\n');
  });
  const run = shell(url);
  t.match(await run('events', '--type', 'published'), {
    code: 3,
    out: '2030  published  k  a\\n  late_ms=3\n2031  sampled  left_out={"published":7}\n',
    err: /ended the stream/,
  });
  t.match(
    (await run('events', '--json')).out,
    /^{"type":"published","at":"2030",.*}\n{"type":"sampled",.*}\n$/,
  );
  t.equal(requests[0]!.path, '/events?type=published');
});

t.test('import and export', async (t) => {
  const folder = folderOf(t);
  const { run, url, jobs } = await served(t);
  const file = join(folder, 'jobs.ndjson');
  const line = (job: string, interval: number) => `${JSON.stringify({ routing_key: 'k', job, interval })}\n`;
  writeFileSync(file, line('1', 60) + line('2', 0));
  t.match(await run('import', file), {
    code: 1,
    out: '',
    err: /^dalga: line 2: interval must .*\ndalga: 1 of 2 jobs are stored, 1 of them new; 1 were refused\n$/,
  });
  const stdin = Readable.from([Buffer.from(line('3', 60))]);
  t.match(await shell(url, { stdin })('import', '-', '--json'), {
    code: 0,
    out: /^{"complete":true,"lines":1,/,
  });
  const exported = await run('export');
  t.match(exported, { code: 0, err: 'dalga: 2 jobs are exported\n' });
  t.equal((await run('export', file, '--job-prefix', '3')).code, 0);
  t.equal(readFileSync(file, 'utf8'), `${exported.out.split('\n')[1]}\n`);
  t.match(await run('import', join(folder, 'x')), { code: 2, err: /x cannot be read \(ENOENT\)/ });
  t.match(await run('import', folder), { code: 2, err: /cannot be read \(EISDIR\)/ });
  t.match(await run('export', join(folder, 'x', 'y')), { code: 2, err: /y cannot be written \(ENOENT\)/ });
  jobs.faults.set('3', new DalgaError('database_unavailable', 'MySQL is away'));
  t.match(await run('import', file), {
    code: 3,
    err: /dalga: the import broke off with 0 jobs stored, .* imported again: .*\ndalga: the import ended early: MySQL is away\n$/,
  });
});

t.test('an import whose answer breaks off says how far it came, and that it may be run again', async (t) => {
  let progress = '{"lines":3000,"stored":2000,"created":2000,"refused":0}\n';
  const { url } = await stubServer(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.flushHeaders();
    response.write(progress, () => response.destroy());
  });
  const again = 'the same may be imported again: what is stored already stays as it is';
  const run = () => shell(url, { stdin: Readable.from([Buffer.from('{}')]) })('import', '-');
  const { code, err } = await run();
  t.equal(code, 3);
  const [first, second] = err.split('\n');
  t.equal(first, `dalga: the import broke off with 2000 jobs stored, as Dalga told last; ${again}`);
  t.match(second, /^dalga: http:\S+ broke off its answer \(\w+\)$/, 'DALGA_URL is right');
  // A part of a line.
  progress = '{"lines"';
  t.match((await run()).err, `dalga: the import broke off before Dalga told of any stored job; ${again}\n`);
});
