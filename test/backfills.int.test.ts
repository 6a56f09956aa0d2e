import t, { type Test } from 'tap';
import type { Received } from './helpers/consumer.ts';
import { type Service, scheduledAt, startService } from './helpers/service.ts';

type Backfill = {
  readonly id: string;
  readonly kind: string;
  readonly job: string;
  readonly position: string;
  readonly published: number;
};

/** Unix ms: hourly since then a job is due half an hour after the test, and half an hour before. */
const BASE = Math.floor(Date.now() / 1000 - 2400.5 * 3600) * 1000;
const FIRST_RUN = timeOf(0);

/** @param hours after the first run */
function timeOf(hours: number): string {
  return new Date(BASE + hours * 3_600_000).toISOString().replace('.000', '');
}

/** The API of a service, and hourly jobs. */
function api(t: Test, { url, queue }: Service) {
  const ask = async (method: string, path: string, body?: object) => {
    const answer = await fetch(`${url}${path}`, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, body: text === '' ? null : JSON.parse(text) };
  };
  return {
    ask,
    /** @param routingKey this test's queue by default */
    put: async (job: string, parameters: object = {}, routingKey = queue) => {
      const put = await ask('PUT', `/jobs/${routingKey}/${job}`, {
        ...{ interval: 3600, first_run: FIRST_RUN, ...parameters },
      });
      t.equal(put.status, 201, JSON.stringify(put.body));
    },
    /** So many hours since the first run. */
    backfill: async (job: string, hours: number, routingKey = queue): Promise<Backfill> => {
      const query = `from=${FIRST_RUN}&to=${timeOf(hours)}`;
      const accepted = await ask('POST', `/jobs/${routingKey}/${job}/backfill?${query}`);
      t.equal(accepted.status, 202, JSON.stringify(accepted.body));
      return accepted.body as Backfill;
    },
    open: async () => (await ask('GET', '/backfills')).body.backfills as Backfill[],
    metric: async (name: string) => {
      const text = await (await fetch(`${url}/metrics`)).text();
      return Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${name} `))
          ?.split(' ')[1],
      );
    },
  };
}

/** Polls for what is told by no signal. */
async function until(condition: () => Promise<boolean>, timeout = 20_000): Promise<void> {
  for (const end = Date.now() + timeout; !(await condition()); ) {
    if (Date.now() > end) throw new Error(`did not come to hold: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const hoursOf = (messages: readonly Received[]) =>
  messages.map((message) => (scheduledAt(message) - BASE) / 3_600_000);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);
const idOf = ({ properties }: Received) => properties.messageId as string;

t.test('a run by hand, also of a job that is paused', async (t) => {
  const service = await startService(t);
  const { queue, consumer } = service;
  const { ask, put, open, metric } = api(t, service);
  await put('one', { max_runs: 1_000_000, expiration: 60, headers: { source: 'feeds' } });
  const next = (await ask('GET', `/jobs/${queue}/one`)).body.next_run;

  const before = Date.now();
  const accepted = await ask('POST', `/jobs/${queue}/one/run`);
  t.equal(accepted.status, 202);
  t.equal(accepted.headers.get('location'), `/backfills/${accepted.body.id}`);
  t.match(accepted.body, {
    ...{ id: /^\d+$/, kind: 'run', job: 'one', routing_key: queue, from: null, to: null, published: 0 },
    ...{ position: String, created: String },
  });
  t.same(Object.keys(accepted.body), [
    ...['id', 'kind', 'job', 'routing_key', 'from', 'to', 'position', 'published', 'created'],
  ]);
  const message = await consumer.next();
  t.equal(message.content.toString(), 'one');
  t.match(message.properties, {
    ...{ messageId: /^[a-z0-9]{4}\.[a-z0-9]+\.[a-z0-9]+\.[a-z0-9]+$/, expiration: '60000', deliveryMode: 2 },
    headers: { source: 'feeds', 'x-dalga-kind': 'run', 'x-dalga-missed': undefined },
  });
  t.ok(Math.abs(scheduledAt(message) - before) < 5000, 'when it was asked for');
  t.equal(new Date(scheduledAt(message)).toISOString(), new Date(accepted.body.created).toISOString());
  await until(async () => (await open()).length === 0);
  t.equal((await ask('GET', `/backfills/${accepted.body.id}`)).status, 404, 'a finished one is gone');

  await ask('PATCH', `/jobs/${queue}/one`, { enabled: false });
  await ask('POST', `/jobs/${queue}/one/run`);
  t.equal((await consumer.next()).properties.headers!['x-dalga-kind'], 'run');
  await ask('PATCH', `/jobs/${queue}/one`, { enabled: true });
  t.equal((await ask('GET', `/jobs/${queue}/one`)).body.next_run, next, 'its phase has not moved');

  const history = (await ask('GET', `/jobs/${queue}/one/history`)).body;
  t.match(history, {
    why: /run by hand of .* was published/,
    entries: [
      { event: 'published', kind: 'run' },
      { event: 'published', kind: 'run' },
    ],
  });
  await until(async () => (await metric('dalga_backfill_messages_total{kind="run"}')) === 2);
  t.equal(await metric('dalga_backfills_open{kind="run"}'), 0);
  t.equal(await metric('dalga_occurrences_due_total'), 0, 'it is among no occurrences');

  const nobody = service.broker.name('nobody');
  await put('two', {}, nobody);
  await ask('POST', `/jobs/${nobody}/two/run`);
  await until(async () => (await metric('dalga_backfill_messages_returned_total')) === 1);
  await until(async () => (await metric('dalga_backfill_messages_total{kind="run"}')) === 3);
});

t.test('a backfill has the runs of its span, and no others, at its rate', async (t) => {
  const service = await startService(t, { DALGA_BACKFILL_RATE: '20' });
  const { queue, consumer } = service;
  const { ask, put, open, backfill } = api(t, service);
  await put('plain');
  await put('cron', {
    ...{ interval: undefined, cron: '0 6 * 1 *', first_run: '2024-01-01T00:00:00Z' },
    ...{ location: 'Europe/Istanbul', exclude: ['2024-01-02'] },
  });
  await ask('PUT', `/jobs/${queue}/once?one_off=true&first_run=2099-01-01T00:00:00Z`);

  const refused = async (path: string, parameter: string | undefined, detail: RegExp, status = 400) => {
    const answer = await ask('POST', `/jobs/${queue}/${path}`);
    t.equal(answer.status, status, JSON.stringify(answer.body));
    t.equal(answer.body.parameter, parameter);
    t.match(answer.body, { status, detail });
  };
  await refused(`plain/backfill?from=${FIRST_RUN}`, 'to', /^to is missing/);
  await refused(`plain/backfill?from=${FIRST_RUN}&to=${FIRST_RUN}`, 'to', /must be after from/);
  await refused(`plain/backfill?from=${FIRST_RUN}&to=2099-01-01T00:00:00Z`, 'to', /not be in the future/);
  await refused(
    `plain/backfill?from=2020-01-01T00:00:00Z&to=${FIRST_RUN}`,
    'from',
    /no run .* next is at 20/,
  );
  await refused(`once/backfill?from=2020-01-01T00:00:00Z&to=${FIRST_RUN}`, undefined, /one-off/);
  await refused(`plain/backfill?from=${FIRST_RUN}&until=${FIRST_RUN}`, 'until', /not known/);
  await refused(`nobody/backfill?from=2020-01-01T00:00:00Z&to=${FIRST_RUN}`, undefined, /no such job/, 404);
  await put('often', { interval: 1, enabled: false });
  await refused(`often/backfill?from=${FIRST_RUN}&to=${timeOf(48)}`, 'to', /at most 100000/);
  await ask('DELETE', `/jobs/${queue}/often`);
  t.same(await open(), []);

  const past = { from: '2024-01-01T00:00:00Z', to: '2024-01-04T00:00:00Z' };
  const { id } = (await ask('POST', `/jobs/${queue}/cron/backfill`, past)).body;
  const [first, second] = await consumer.take(2);
  t.same(
    [first!, second!].map((message) => new Date(scheduledAt(message)).toISOString()),
    ['2024-01-01T03:00:00.000Z', '2024-01-03T03:00:00.000Z'],
    'on its own clock, and without what is excluded',
  );
  t.match(first!.properties.headers, { 'x-dalga-kind': 'backfill' });
  t.ok(idOf(first!).endsWith(`.${Number(id).toString(36)}`));
  t.equal(first!.properties.expiration, String(2 * 86_400_000), 'until the next one');

  await until(async () => (await open()).length === 0);

  const began = performance.now();
  const accepted = await backfill('plain', 24);
  t.match(await open(), [{ id: accepted.id, kind: 'backfill', job: 'plain', routing_key: queue }]);
  t.match((await ask('GET', `/backfills/${accepted.id}`)).body, { from: FIRST_RUN, to: timeOf(24) });
  t.same(hoursOf(await consumer.take(24)), upTo(24), 'in their order');
  // 24 at 20 a second; how much longer it takes is the machine's business.
  t.ok(performance.now() - began > 900, `${performance.now() - began} ms`);
  await until(async () => (await open()).length === 0);
  const history = (await ask('GET', `/jobs/${queue}/plain/history`)).body;
  t.match(history.entries[0], { event: 'published', kind: 'backfill' });
  t.match(history.why, new RegExp(`backfilled run of ${timeOf(23)} was published`));
});

t.test('a crash repeats at most the last moment, and a clean stop nothing', async (t) => {
  const service = await startService(t, { DALGA_BACKFILL_RATE: '100' });
  const { consumer } = service;
  const { put, open, backfill } = api(t, service);
  await put('plain');
  const { id } = await backfill('plain', 300);
  await consumer.take(100);
  await until(async () => ((await open())[0]?.published ?? 0) >= 50);
  await service.instance.process.kill();
  const published = new Set(consumer.messages.map(idOf));
  await service.start();
  await consumer.take(50);
  await service.instance.process.stop();
  await service.start();
  await until(async () => (await open()).length === 0);
  const hours = hoursOf(consumer.messages);
  t.same(
    [...new Set(hours)].sort((a, b) => a - b),
    upTo(300),
    'each has come',
  );
  const ids = consumer.messages.map(idOf);
  t.equal(new Set(ids).size, 300, 'a repetition has the same id');
  t.ok(ids.every((one) => one.endsWith(`.${Number(id).toString(36)}`)));
  const repeated = ids.filter((one, index) => ids.indexOf(one) !== index);
  t.ok(
    repeated.every((one) => published.has(one)),
    'only what had come before the crash',
  );
  t.ok(repeated.length <= 60, `${repeated.length} were repeated`);
});

t.test('one that is deleted, or whose job is, publishes nothing more', async (t) => {
  const service = await startService(t, { DALGA_BACKFILL_RATE: '20' });
  const { queue, consumer } = service;
  const { ask, put, open, backfill, metric } = api(t, service);
  await put('a');
  await put('b');
  const { id } = await backfill('a', 1000);
  await consumer.take(3);
  t.equal((await ask('DELETE', `/backfills/${id}`)).status, 204);
  t.equal((await ask('DELETE', `/backfills/${id}`)).status, 404);
  t.equal((await ask('GET', `/backfills/${id}`)).status, 404);
  await backfill('b', 1000);
  await until(async () => consumer.messages.at(-1)?.content.toString() === 'b');
  t.equal((await ask('DELETE', `/jobs/${queue}/b`)).status, 204);
  t.same(await open(), []);
  await until(async () => (await metric('dalga_backfills_open{kind="backfill"}')) === 0);
  const connection = await service.connect();
  t.teardown(() => connection.end());
  await until(
    async () => ((await connection.query('SELECT 1 FROM dalga_backfill'))[0] as unknown[]).length === 0,
  );
  const count = consumer.messages.length;
  await put('c');
  await ask('POST', `/jobs/${queue}/c/run`);
  await until(async () => consumer.messages.at(-1)?.content.toString() === 'c');
  t.ok(consumer.messages.length <= count + 3, 'what was with a publisher, at most');
});

t.test('a route that never confirms, and one that refuses, hold up no other', async (t) => {
  const service = await startService(t, { DALGA_BACKFILL_RATE: '1000' });
  const { broker, consumer } = service;
  const { put, open, backfill } = api(t, service);
  const [full, silent] = [broker.name('full'), broker.name('silent')];
  const connection = await broker.connect();
  const channel = await connection.createChannel();
  await channel.assertQueue(full, { maxLength: 1, arguments: { 'x-overflow': 'reject-publish' } });
  channel.sendToQueue(full, Buffer.from('the one that it holds'));
  await channel.assertQueue(silent);
  /** Stops the process of the queue: what is routed to it is neither refused nor confirmed. */
  const suspend = (how: 'suspend' | 'resume') =>
    broker.ctl(
      'eval',
      `{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"${silent}">>)),
       sys:${how}(amqqueue:get_pid(Q)).`,
    );
  await suspend('suspend');
  t.teardown(async () => {
    for (const queue of [full, silent]) await channel.deleteQueue(queue);
    await connection.close();
  });
  for (const queue of [full, silent, service.queue]) await put('job', {}, queue);
  for (const queue of [full, silent]) await backfill('job', 500, queue);
  for (const queue of [full, silent]) await backfill('job', 500, queue);
  await backfill('job', 300);
  t.same(hoursOf(await consumer.take(300)), upTo(300));
  await until(async () => (await open()).length === 4);
  t.ok((await open()).every(({ position, published }) => position === FIRST_RUN && published === 0));
  await suspend('resume');
  await until(async () => (await open()).length === 2);
  t.equal((await channel.checkQueue(silent)).messageCount, 1000, 'each once');
});
