import t from 'tap';
import {
  DalgaClient,
  Deduplicator,
  type Job,
  type JobLine,
  type PutParameters,
  parseMessage,
} from '../src/client/client.ts';
import { freePorts } from '../src/quickstart/free-port.ts';
import { checkedFetch } from './client/checked-fetch.ts';
import { DalgaProcess, environment } from './helpers/dalga-process.ts';
import { startService } from './helpers/service.ts';

const YEAR = 31_536_000;

async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

t.test('the whole of the client, on a real Dalga: every answer is what the document says', async (t) => {
  const service = await startService(t);
  const { url, queue, consumer } = service;
  const { fetch, faults, called } = await checkedFetch(url);
  const dalga = new DalgaClient({ url, fetch });
  const name = { routingKey: queue, job: '\ufeffjob/ü 🙂' };

  const put = await dalga.put(name, { interval: 3600, immediate: true });
  t.equal(put.created, true);
  const message = parseMessage(await consumer.next());
  t.match(message, { ...name, missed: 0, redelivered: false });
  t.match(message.id, /^\w+\.\w+\.\w+$/);
  t.ok(Math.abs(message.scheduledAt.getTime() - Date.now()) < 60_000);
  const done = new Deduplicator();
  t.equal(done.has(message), false);
  done.add(message);
  t.equal(done.has(message), true);

  t.match(await dalga.pace(message, { interval: YEAR }), { job: { interval: YEAR } });
  const later = new Date(Date.UTC(2090, 0, 1));
  t.ok(Date.parse((await dalga.pace(message, { notBefore: later }))!.job.next_run!) >= later.getTime());
  t.match((await dalga.history(name)).entries, [{ event: 'published' }]);

  const bytes = Uint8Array.of(0, 159, 255);
  const whole: PutParameters = {
    ...{
      interval: 'P1M',
      location: 'Europe/Istanbul',
      gap: 'run',
      overlap: 'first',
      misfire: 'skip',
      misfire_age: 60,
    },
    ...{
      first_run: new Date(Date.UTC(2090, 0, 31)),
      last_run: new Date(Date.UTC(2099, 0, 1)),
      jitter: 'PT1M',
    },
    ...{
      max_runs: 20,
      exclude: ['2090-12-25'],
      note: 'x',
      tags: ['a', 'b'],
      payload: bytes,
      content_type: 'a/b',
    },
    ...{
      headers: { depth: 2 },
      priority: 3,
      expiration: 'PT2H',
      exchange: 'amq.direct',
      correlation_id: 'c',
    },
    ...{ reply_to: 'r', type: 't', enabled: false },
  };
  const stored = await dalga.put({ routingKey: 'nobody', job: 'whole' }, whole);
  t.match(stored.job, {
    payload: 'AJ//',
    payload_encoding: 'base64',
    jitter: 60,
    expiration: 7200,
    enabled: false,
  });
  await dalga.put(
    { routingKey: 'nobody', job: 'once' },
    { one_off: true, interval: YEAR, expiration: 'none' },
  );
  await dalga.put({ routingKey: 'nobody', job: 'cron' }, { cron: '@yearly' });
  t.same(await dalga.get({ routingKey: 'nobody', job: 'whole' }), { job: stored.job, etag: stored.etag });
  await t.rejects(dalga.change(name, { note: 'x' }, { ifMatch: '"another"' }), {
    code: 'precondition_failed',
  });
  await t.rejects(dalga.put(name, { interval: 60, exchange: 'no-such-exchange' }), {
    ...{ name: 'DalgaProblem', parameter: 'exchange' },
  });

  t.match(await dalga.pause(name, { note: 'moving' }), {
    job: { enabled: false, note: 'moving', next_run: null },
  });
  t.same(await dalga.next(name), []);
  await dalga.resume(name);
  t.equal((await dalga.next(name, { count: 3 })).length, 3);
  t.equal((await dalga.preview({ cron: '@daily', count: 5 })).length, 5);

  const jobs = async function* (): AsyncGenerator<JobLine> {
    for (let job = 0; job < 2500; job++)
      yield { routing_key: 'many', job: String(job), interval: YEAR, tags: [`t${job % 5}`], phase: 'spread' };
    yield { routing_key: 'many', job: 'x', interval: 0 };
  };
  const refused: number[] = [];
  const totals = await dalga.import(jobs(), { onRefused: ({ line }) => refused.push(line) });
  t.match(totals, { complete: true, lines: 2501, stored: 2500, created: 2500, refused: 1 });
  t.same(refused, [2501]);
  const names = (await allOf(dalga.listAll({ routing_key: 'many' }))).map(({ job }: Job) => job);
  t.equal(new Set(names).size, 2500);
  t.equal((await dalga.list({ routing_key: 'many', limit: 10 })).jobs.length, 10);
  t.match((await dalga.list({ sort: 'next_run', limit: 1 })).jobs, [{ job: String }]);
  t.equal((await allOf(dalga.export({ tag: 't1' }))).length, 500);
  const again = await dalga.import(dalga.exportBytes({ routing_key: 'many' }));
  t.match(again, { stored: 2500, created: 0 });

  t.match(await dalga.changeMany({ tag: 't1' }, { enabled: false }, { dryRun: true }), {
    matched: 500,
    changed: 0,
  });
  t.match(await dalga.changeMany({ tag: 't1' }, { enabled: false }), { matched: 500, changed: 500 });
  t.match(await dalga.changeMany({ routing_key: 'nobody' }, { max_runs: 20_000 }), {
    refused: Number,
    errors: [{ routing_key: 'nobody', job: String, code: 'invalid_parameter', parameter: 'max_runs' }],
  });
  t.match(await dalga.deleteMany({ routing_key: 'many' }), { matched: 2500, deleted: 2500 });

  t.match(await dalga.forecast({ from: new Date(), step: 86_400 }), { sampled: 1, step: 86_400 });
  t.match(await dalga.status(), { lease: 'owner', ready: true, jobs: Number });
  t.equal(await dalga.delete(name), true);
  t.equal(await dalga.delete(name), false);
  t.equal(await dalga.get(name), null);
  t.equal(await dalga.pace(message, { interval: 60 }), null);

  t.same(faults, []);
  t.equal(called.size, 13, [...called].join(', '));
});

t.test('runs by hand, backfills, events and forecasts of what is not there', async (t) => {
  const service = await startService(t);
  const { url, queue, consumer } = service;
  const { fetch, faults, operations } = await checkedFetch(url);
  const dalga = new DalgaClient({ url, fetch });
  const name = { routingKey: queue, job: 'j' };
  const has = (...names: string[]) => names.every((each) => operations.has(each));
  // Of what this server has.
  if (has('GET /events')) {
    const abort = new AbortController();
    const events = dalga.events({ routing_key: queue }, { signal: abort.signal });
    const first = events.next();
    await dalga.put(name, { interval: 3600, immediate: true });
    t.match(await first, { value: { type: 'scheduled', at: String, job: 'j', routing_key: queue } });
    abort.abort(new Error('enough'));
    await t.rejects(allOf(events), { message: 'enough' });
  } else await dalga.put(name, { interval: 3600, immediate: true });
  await consumer.next();
  if (has('POST /jobs/{routing_key}/{job}/run')) {
    t.match(await dalga.run(name), { kind: 'run', job: 'j', routing_key: queue, from: null });
    t.match(parseMessage(await consumer.next()), name);
  }
  if (has('POST /jobs/{routing_key}/{job}/backfill', 'GET /backfills')) {
    const job = { routingKey: queue, job: 'past' };
    await dalga.put(job, { interval: 3600, first_run: '2026-01-01T00:00:00Z' });
    const span = { from: '2026-01-01T00:00:00Z', to: '2026-01-01T03:00:00Z' };
    const { id } = await dalga.backfill(job, span);
    const runs = (await consumer.take(3)).map((message) => parseMessage(message).scheduledAt.getUTCHours());
    t.same(runs.sort(), [0, 1, 2]);
    t.type(await dalga.backfills(), Array);
    // It may be done by now.
    const found = await dalga.getBackfill(id);
    t.ok(found === null || found.id === id);
    t.type(await dalga.stopBackfill(id), 'boolean');
    t.equal(await dalga.stopBackfill('999999'), false);
  }
  if (has('POST /forecast')) {
    const added = await dalga.forecastWith([{ routing_key: 'new', count: 1000, interval: 60 }], {
      step: 600,
    });
    t.match(added, { added: { sampled: 1, total: Number, routes: [{ routing_key: 'new' }] } });
  }
  t.same(faults, []);
});

t.test('a standby refuses what only the owner can do, and a stop ends streams', async (t) => {
  const service = await startService(t);
  const [port] = (await freePorts(1)) as [number];
  const standby = new DalgaProcess(environment(service.settings, port));
  t.teardown(() => standby.kill());
  const dalga = new DalgaClient({ url: `http://127.0.0.1:${port}` });
  const answers = () =>
    dalga.status().then(
      ({ lease }) => lease === 'standby',
      () => false,
    );
  while (!(await answers())) await new Promise((resolve) => setTimeout(resolve, 20));
  t.match(await dalga.list(), { jobs: [] });
  const line = { routing_key: 'k', job: 'j', interval: 60 };
  const name = { routingKey: 'k', job: 'j' };
  for (const refused of [() => dalga.put(name, { interval: 60 }), () => dalga.import([line])])
    await t.rejects(async () => void (await refused()), {
      name: 'DalgaProblem',
      code: 'not_owner',
      retryAfter: 1,
    });
  await service.instance.process.kill();
  await t.rejects(new DalgaClient({ url: service.url }).status(), {
    name: 'DalgaUnreachable',
    message: /ECONNREFUSED/,
  });
});
