import { MessageChannel } from 'node:worker_threads';
import t from 'tap';
import { systemTimers } from '../../src/clock.ts';
import { SchedulerClient } from '../../src/main-thread/scheduler-client.ts';
import type { Progress, SchedulerCommand, SchedulerReport } from '../../src/protocol/main-scheduler.ts';
import { type TypedPort, typedPort } from '../../src/protocol/typed-port.ts';
import { intervalRow } from '../helpers/rows.ts';

const PROGRESS = { acknowledged: 3, frontier: 5, settledCount: 1 } as Progress;

/** Both ends of the port on one thread; the far end is the test's. */
function setUp(t: { teardown(end: () => void): void }) {
  const { port1, port2 } = new MessageChannel();
  const events: unknown[] = [];
  const client = new SchedulerClient(
    typedPort(port1),
    {
      onStarted: () => events.push('started'),
      onProgress: (progress) => events.push(progress),
      onLoading: (jobs) => events.push({ loading: jobs }),
      onLoaded: (jobs) => events.push({ jobs }),
      onBroker: (connected, reason) => events.push({ connected, reason }),
      onEvents: (report) => events.push(report),
      onFailed: (error, startup) => events.push({ error, startup }),
    },
    systemTimers,
  );
  const far: TypedPort<SchedulerReport, SchedulerCommand> = typedPort(port2);
  const commands: SchedulerCommand[] = [];
  let wake: () => void = () => {};
  far.listen((command) => {
    commands.push(command);
    wake();
  });
  t.teardown(() => {
    port1.close();
    port2.close();
  });
  const received = async (count: number) => {
    while (commands.length < count) await new Promise<void>((resolve) => (wake = resolve));
    return commands;
  };
  return { client, far, events, received };
}

t.test('commands arrive in order, numbered without gaps', async (t) => {
  const { client, received } = setUp(t);
  const row = intervalRow(1, 60_000, 5);
  t.equal(client.post([{ op: 'upsert', row }], false), 1);
  t.equal(client.post([{ op: 'remove', id: 1 }], true), 2);
  client.trust(Number.POSITIVE_INFINITY);
  client.adjustClock(12.5, false);
  client.load();
  const commands = await received(5);
  t.same(
    commands.map(({ type }) => type),
    ['jobs.changed', 'jobs.changed', 'lease.trusted', 'clock.adjusted', 'load.start'],
  );
  t.match(commands[0], { number: 1, reply: false, changes: [{ op: 'upsert', row: { id: 1, version: 1 } }] });
  t.match(commands[1], { number: 2, reply: true });
  t.match(commands[2], { until: Number.POSITIVE_INFINITY });
});

t.test('an acknowledgement frees all who wait for it; without one the time runs out', async (t) => {
  const { client, far } = setUp(t);
  const number = client.post([], true);
  const both = Promise.all([client.acknowledged(number, 60_000), client.acknowledged(number, 60_000)]);
  far.send({ type: 'changes.acknowledged', number });
  await both;
  await client.acknowledged(client.post([], true), 5);
});

t.test('what is known to be taken in is not waited for', async (t) => {
  const { client, far, received } = setUp(t);
  const early = client.post([], true);
  const late = client.post([], true);
  await received(2);
  const waiting = client.acknowledged(late, 60_000);
  far.send({ type: 'changes.acknowledged', number: late });
  await waiting;
  await client.acknowledged(early, 60_000);
});

t.test('a question has its answer, by its number', async (t) => {
  const { client, far, received } = setUp(t);
  const first = client.ask({ about: 'next', limit: 1 }, 60_000);
  const second = client.ask({ about: 'next', limit: 2 }, 60_000);
  const asked = await received(2);
  t.match(asked, [
    { type: 'question', number: 1, question: { about: 'next', limit: 1 } },
    { type: 'question', number: 2, question: { about: 'next', limit: 2 } },
  ]);
  const answer = (id: number) =>
    ({ about: 'next', ids: Float64Array.of(id), times: Float64Array.of(id * 1000) }) as const;
  far.send({ type: 'answer', number: 2, answer: answer(22) });
  far.send({ type: 'answer', number: 1, answer: answer(11) });
  t.same([...(await first).ids, ...(await second).ids], [11, 22]);
});

t.test('a question that nobody answers is refused', async (t) => {
  const { client, far } = setUp(t);
  const refused = { code: 'not_ready', status: 503 };
  await t.rejects(client.ask({ about: 'next', limit: 1 }, 5), refused);
  // An answer that comes too late has nobody to go to.
  far.send({
    type: 'answer',
    number: 1,
    answer: { about: 'next', ids: new Float64Array(), times: new Float64Array() },
  });
  const waiting = client.ask({ about: 'next', limit: 1 }, 60_000);
  client.fail({ name: 'Error', message: 'x' });
  await t.rejects(waiting, refused);
  await t.rejects(client.ask({ about: 'next', limit: 1 }, 60_000), refused);
});

t.test('reports reach their listeners', async (t) => {
  const { client, far, events, received } = setUp(t);
  far.send({ type: 'scheduler.started' });
  far.send({ type: 'progress', progress: PROGRESS });
  far.send({ type: 'load.finished', jobs: 7, duration: 1 });
  far.send({ type: 'broker.changed', connected: 0, reason: 'gone' });
  const stopped = client.stop(99, 10_000);
  t.match((await received(1))[0], { type: 'scheduler.stop', deadline: 99 });
  far.send({ type: 'scheduler.stopped', progress: PROGRESS, clean: true });
  t.match(await stopped, { clean: true, progress: PROGRESS });
  t.match(events, ['started', PROGRESS, { jobs: 7 }, { connected: 0, reason: 'gone' }]);
});

t.test('a thread that failed: told once, and nobody waits for it', async (t) => {
  const { client, far, events } = setUp(t);
  const waiting = client.acknowledged(client.post([], true), 60_000);
  far.send({ type: 'scheduler.failed', error: { name: 'Error', message: 'x' }, startup: false });
  await waiting;
  client.fail({ name: 'Error', message: 'again' });
  t.match(events, [{ error: { message: 'x' }, startup: false }]);
  t.equal(events.length, 1);
  t.equal(await client.stop(0, 60_000), null);
});
