import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import {
  DalgaClient,
  type ImportProgress,
  type ImportRefusal,
  type JobLine,
} from '../../src/client/client.ts';
import { DalgaError } from '../../src/errors.ts';
import { serve } from '../main-thread/http/harness.ts';
import { stubServer } from './stub-server.ts';

async function client(t: Test) {
  const served = await serve(t);
  return { dalga: new DalgaClient({ url: `http://127.0.0.1:${served.port}` }), served };
}

async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function* jobs(count: number): AsyncGenerator<JobLine> {
  for (let job = 0; job < count; job++) yield { routing_key: 'k', job: String(job), interval: 60 + job };
}

t.test('what one exports the other imports', async (t) => {
  const [from, to] = [await client(t), await client(t)];
  const payload = Uint8Array.of(0, 255);
  const first = [{ routing_key: 'k', job: 'ü\n\u2028', interval: 60, payload, first_run: new Date(1e12) }];
  t.match(await from.dalga.import(first), { complete: true, lines: 1, stored: 1, created: 1, refused: 0 });
  t.match(await from.dalga.import(jobs(3000)), { stored: 3000 });
  t.match(await to.dalga.import(from.dalga.export()), { complete: true, stored: 3001, created: 3001 });
  t.same(
    await allOf(to.dalga.export({ job_prefix: 'ü' })),
    await allOf(from.dalga.export({ job_prefix: 'ü' })),
  );
  t.match(await to.dalga.import(from.dalga.exportBytes({ job_prefix: '1' })), { created: 0 });
});

t.test('NDJSON as a file gives it, and lines that are refused', async (t) => {
  const { dalga } = await client(t);
  const text = '{"routing_key":"k","job":"1","interval":60}\n{"routing_key":"k","job":"2","interval":0}\n';
  const refused: ImportRefusal[] = [];
  const onRefused = (refusal: ImportRefusal) => refused.push(refusal);
  const totals = await dalga.import(Readable.from([text.slice(0, 10), Buffer.from(text.slice(10))]), {
    onRefused,
  });
  t.match(totals, { complete: true, lines: 2, stored: 1, refused: 1 });
  t.match(refused, [{ line: 2, code: 'invalid_parameter', parameter: 'interval', detail: /^interval must/ }]);
  t.match(await dalga.import([]), { complete: true, lines: 0 });
});

t.test('an import that ends early', async (t) => {
  const { dalga, served } = await client(t);
  served.jobs.faults.set('1', new DalgaError('database_unavailable', 'MySQL is away'));
  await t.rejects(dalga.import(jobs(2)), {
    name: 'ImportEnded',
    message: 'the import ended early: MySQL is away',
    totals: { complete: false, stored: 1, code: 'database_unavailable' },
  });
  served.jobs.failure = new DalgaError('not_owner', 'another owns it');
  let ended = false;
  const endless = async function* () {
    try {
      for (;;) yield* jobs(1000);
    } finally {
      ended = true;
    }
  };
  await t.rejects(dalga.import(endless()), { name: 'DalgaProblem', code: 'not_owner' });
  t.ok(ended, 'the source is told that nothing more is wanted');
});

t.test('a source that fails, and a job that cannot be sent', async (t) => {
  const { dalga } = await client(t);
  await t.rejects(dalga.import(createReadStream('/no/such/file')), { code: 'ENOENT' });
  const wrong = [{ routing_key: 'k', job: '1', interval: Number.NaN }];
  await t.rejects(dalga.import(wrong), { name: 'InvalidArgument', message: /^interval must not be NaN/ });
});

t.test('a source that gives no more jobs does not hold up a refusal', async (t) => {
  const { dalga, served } = await client(t);
  served.jobs.failure = new DalgaError('not_owner', 'another owns it');
  const never = async function* () {
    yield { routing_key: 'k', job: '1', interval: 60 };
    await new Promise(() => {});
  };
  await t.rejects(dalga.import(never()), { code: 'not_owner' });
});

t.test('text that is cut anywhere', async (t) => {
  const { dalga } = await client(t);
  // A piece ends in the middle of the smiley.
  const job = `${'x'.repeat(3000)}🙂`;
  const lines = Array.from({ length: 25 }, (_, index) =>
    JSON.stringify({ routing_key: 'k', job: index + job, interval: 60 }),
  );
  const text = `${lines.join('\n')}\n`;
  const cut = text.lastIndexOf('🙂') + 1;
  const parts = [new Uint8Array(0), '', text.slice(0, cut), text.slice(cut)];
  t.match(await dalga.import(parts), { stored: 25, refused: 0 });
  const names = (await allOf(dalga.export())).map((line) => line.job);
  t.same(
    names,
    lines.map((line) => JSON.parse(line).job),
  );
});

t.test('progress, and an answer without its end', async (t) => {
  let last = '{"complete":true,"lines":2,"stored":2,"created":2,"refused":0}\n';
  const { url } = await stubServer(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.end(`{"lines":1,"stored":1,"created":1,"refused":0}\n${last}`);
  });
  const dalga = new DalgaClient({ url });
  const told: ImportProgress[] = [];
  await dalga.import(jobs(2), { onProgress: (progress) => told.push(progress) });
  t.match(told, [{ lines: 1 }]);
  last = '';
  await t.rejects(dalga.import(jobs(2)), { name: 'DalgaUnreachable', message: /broke off its answer/ });
});

t.test('the time of an import does not run while its source is waited for', async (t) => {
  const totals = '{"complete":true,"lines":2,"stored":2,"created":2,"refused":0}\n';
  const server = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    // Each piece is answered, and the end of all.
    request.on('data', () => response.write('{"lines":1,"stored":1,"created":1,"refused":0}\n'));
    request.on('end', () => response.end(totals));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const timeout = 100;
  let heard = () => {};
  const progress = new Promise<void>((resolve) => {
    heard = resolve;
  });
  const slow = async function* () {
    yield { routing_key: 'k', job: '1', interval: 60 };
    await progress;
    await new Promise((resolve) => setTimeout(resolve, 3 * timeout));
    yield { routing_key: 'k', job: '2', interval: 60 };
  };
  const dalga = new DalgaClient({ url: `http://127.0.0.1:${port}` });
  t.match(await dalga.import(slow(), { timeout, onProgress: heard }), { complete: true });
});

t.test('an export that is not read to its end ends the request', async (t) => {
  let gone = () => {};
  const ended = new Promise<void>((resolve) => {
    gone = resolve;
  });
  const { url } = await stubServer(t, (_request, response) => {
    response.on('close', gone);
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.write('{"routing_key":"k","job":"1","interval":60}\n{"routing_key":"k",');
  });
  const dalga = new DalgaClient({ url });
  for await (const { job } of dalga.export()) {
    t.equal(job, '1');
    break;
  }
  await ended;
  const late = dalga.export({}, { timeout: 500 });
  await late.next();
  await t.rejects(late.next(), { name: 'DalgaUnreachable', message: /did not answer within 500 ms/ });
});

t.test('an export that breaks off is no whole one', async (t) => {
  const { url } = await stubServer(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.write('{"routing_key":"k","job":"1","interval":60}\n', () => response.destroy());
  });
  await t.rejects(allOf(new DalgaClient({ url }).export()), {
    name: 'DalgaUnreachable',
    message: /broke off/,
  });
});

t.test('events', async (t) => {
  const text = [
    ': hello\n\n',
    'event: published\nid: 5\ndata: {"type":"published",\ndata: "job":"ü"}\n\n',
    'event: misfired\r\ndata:{"count":2}\r\n\r\nevent: no data\n\n:\n\n',
    'event: unfinished\ndata: {}\n',
  ];
  const { url, requests } = await stubServer(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    // A byte at a time.
    for (const byte of Buffer.from(text.join(''))) response.write(Uint8Array.of(byte));
    response.end();
  });
  const dalga = new DalgaClient({ url });
  t.same(await allOf(dalga.events({ type: 'published,misfired', routing_key: 'k' })), [
    { type: 'published', job: 'ü' },
    { type: 'misfired', count: 2 },
  ]);
  t.equal(requests[0]!.path, '/events?type=published%2Cmisfired&routing_key=k');
});

t.test('a signal ends a stream', async (t) => {
  const { url } = await stubServer(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: {}\n\n');
  });
  const abort = new AbortController();
  const events = new DalgaClient({ url }).events({}, { signal: abort.signal, timeout: 5_000 });
  await events.next();
  const next = events.next();
  abort.abort(new Error('enough'));
  await t.rejects(next, { message: 'enough' });
});
