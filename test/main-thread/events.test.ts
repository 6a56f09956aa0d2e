import t from 'tap';
import type { EventSink } from '../../src/main-thread/event-listener.ts';
import { EVENT_TYPES, type EventType } from '../../src/main-thread/event-types.ts';
import { EventHub } from '../../src/main-thread/events.ts';
import type { JobEvent } from '../../src/main-thread/store/batch-plan.ts';
import type { EventInterest, RunEvent } from '../../src/protocol/events.ts';
import { ManualTime, settleMicrotasks } from '../helpers/manual-time.ts';
import { intervalRow } from '../helpers/rows.ts';

/** 2027-01-15T08:00:00Z */
const NOW = 1_800_000_000_000;

/** A connection that takes all at once, or nothing until `drain`. */
class FakeSink implements EventSink {
  pending = 0;
  text = '';
  ended = false;
  readonly #slow: boolean;

  constructor(slow = false) {
    this.#slow = slow;
  }

  write(text: string): void {
    this.text += text;
    if (this.#slow) this.pending += Buffer.byteLength(text);
  }

  end(): void {
    this.ended = true;
  }

  /** What came since the last call, comments left out. */
  read(): { event: string; id: number | null; data: Record<string, unknown> }[] {
    const blocks = this.text.split('\n\n').filter((block) => block !== '' && !block.startsWith(':'));
    this.text = '';
    return blocks.map((block) => {
      const fields = new Map(
        block.split('\n').map((line) => {
          const at = line.indexOf(': ');
          return [line.slice(0, at), line.slice(at + 2)] as const;
        }),
      );
      const id = fields.get('id');
      return {
        event: fields.get('event')!,
        id: id === undefined ? null : Number(id),
        data: JSON.parse(fields.get('data')!),
      };
    });
  }
}

function setUp(limits?: { listeners: number; buffer: number }) {
  const time = new ManualTime(NOW);
  const interests: (EventInterest | null)[] = [];
  const errors: unknown[] = [];
  const asked: (readonly number[])[] = [];
  const names = { answer: new Map<number, Uint8Array>(), failure: null as Error | null };
  const hub = new EventHub({
    ...{ clock: time, timers: time, log: { error: (entry: unknown) => errors.push(entry) } },
    names: async (ids) => {
      asked.push(ids);
      if (names.failure !== null) throw names.failure;
      return names.answer;
    },
    ...(limits === undefined ? {} : { limits }),
  });
  hub.begin((interest) => interests.push(interest));
  const listen = (
    sink: EventSink,
    types: readonly EventType[] = EVENT_TYPES,
    routingKey: string | null = null,
  ) => hub.listen({ types: new Set(types), routingKey }, sink);
  return { time, hub, interests, errors, asked, names, listen };
}

function change(type: JobEvent['type'], name: string, key = 'check_feed'): JobEvent {
  return { type, row: intervalRow(1, 60_000, NOW + 60_000, { key, name, version: 3 }) };
}

function run(type: RunEvent['type'], changes: Partial<RunEvent> = {}): RunEvent {
  return {
    ...{ type, at: NOW + 9, id: 1, job: new TextEncoder().encode('1234'), routingKey: 'check_feed' },
    ...{
      exchange: '',
      kind: null,
      messageId: 'k3x9.1.a',
      scheduledAt: NOW,
      sentAt: NOW + 3,
      count: 0,
      rerouted: false,
    },
    ...changes,
  };
}

t.test('each event is told in the format of server-sent events', async (t) => {
  const { hub, listen } = setUp();
  const sink = new FakeSink();
  listen(sink);
  hub.changed([change('scheduled', 'a\nb'), change('cancelled', 'c')]);
  t.equal(
    sink.text,
    'event: scheduled\nid: 1\ndata: {"type":"scheduled","at":"2027-01-15T08:00:00Z","job":"a\\nb","routing_key":"check_feed","version":3,"enabled":true,"next_run":"2027-01-15T08:01:00Z"}\n\n' +
      'event: cancelled\nid: 2\ndata: {"type":"cancelled","at":"2027-01-15T08:00:00Z","job":"c","routing_key":"check_feed","version":3}\n\n',
  );
  sink.read();
  const skipped = run('misfired', { messageId: null, sentAt: 0, count: 4 });
  hub.ran(
    [
      run('published'),
      run('returned', { exchange: 'x', rerouted: true }),
      run('misfired', { count: 2 }),
      skipped,
    ],
    [],
  );
  await settleMicrotasks();
  const known = { at: '2027-01-15T08:00:00.009Z', job: '1234', routing_key: 'check_feed' };
  const sent = { message_id: 'k3x9.1.a', sent_at: '2027-01-15T08:00:00.003Z', late_ms: 3 };
  const scheduled_at = '2027-01-15T08:00:00Z';
  t.strictSame(
    sink.read().map(({ data }) => data),
    [
      { type: 'published', ...known, scheduled_at, count: 0, ...sent },
      { type: 'returned', ...known, scheduled_at, count: 0, exchange: 'x', rerouted: true, ...sent },
      { type: 'misfired', ...known, scheduled_at, count: 2, outcome: 'caught_up', ...sent },
      { type: 'misfired', ...known, scheduled_at, count: 4, outcome: 'skipped' },
    ],
  );
});

t.test('a run by hand or a backfill is told by its kind, and is not late', async (t) => {
  const { hub, listen } = setUp();
  const sink = new FakeSink();
  listen(sink);
  hub.ran([run('published', { kind: 'run' }), run('returned', { kind: 'backfill' }), run('published')], []);
  await settleMicrotasks();
  t.same(
    sink.read().map(({ data }) => [data.kind, data.late_ms]),
    [
      ['run', undefined],
      ['backfill', undefined],
      [undefined, 3],
    ],
  );
});

t.test('a listener hears of the types and the routing key that it asked for', async (t) => {
  const { hub, listen } = setUp();
  const all = new FakeSink();
  const some = new FakeSink();
  listen(all);
  listen(some, ['changed', 'published'], 'other');
  hub.changed([change('scheduled', 'a', 'other'), change('changed', 'b', 'other'), change('changed', 'c')]);
  hub.ran(
    [run('published'), run('published', { routingKey: 'other' }), run('returned', { routingKey: 'other' })],
    [],
  );
  await settleMicrotasks();
  t.same(
    all.read().map(({ id }) => id),
    [1, 2, 3, 4, 5, 6],
  );
  t.match(some.read(), [
    { event: 'changed', id: 2, data: { job: 'b' } },
    { event: 'published', id: 5 },
  ]);
});

t.test('the scheduler is told what the listeners want, and when nobody listens', async (t) => {
  const { hub, interests, listen } = setUp();
  const latest = () => interests.at(-1);
  const published = listen(new FakeSink(), ['published', 'scheduled'], 'a');
  t.ok(hub.heard);
  t.same(latest(), [{ type: 'published', all: false, routingKeys: ['a'] }]);
  const more = listen(new FakeSink(), ['published', 'returned']);
  t.same(latest(), [
    { type: 'published', all: true, routingKeys: ['a'] },
    { type: 'returned', all: true, routingKeys: [] },
  ]);
  const changes = listen(new FakeSink(), ['scheduled']);
  more.close();
  published.close();
  published.close();
  t.equal(latest(), null, 'changes of jobs are told by this thread');
  t.ok(hub.heard);
  changes.close();
  t.notOk(hub.heard);
});

t.test('a slow listener loses events, is told how many, and holds up nobody', async (t) => {
  const { hub, time, listen } = setUp({ listeners: 200, buffer: 2000 });
  const slow = new FakeSink(true);
  const quick = Array.from({ length: 100 }, () => new FakeSink());
  const { drained } = listen(slow);
  for (const sink of quick) listen(sink);
  for (let count = 0; count < 50; count++) {
    hub.changed([change('changed', String(count))]);
    await time.advance(20);
  }
  t.ok(slow.pending <= 2000, `${slow.pending} bytes wait`);
  const told = slow.read().length;
  t.ok(told > 5 && told < 15);
  t.ok(quick.every((sink) => sink.read().length === 50));
  drained();
  t.same(slow.read(), [], 'nothing was taken yet');
  slow.pending = 900;
  drained();
  t.match(slow.read(), [
    { event: 'dropped', id: null, data: { type: 'dropped', at: String, dropped: { changed: 50 - told } } },
  ]);
  t.equal(hub.counts.dropped, 50 - told);
  slow.pending = 0;
  hub.changed([change('changed', 'again')]);
  t.match(slow.read(), [{ event: 'changed', id: 51 }]);
});

t.test('a bulk load is sampled, and who listens is told how many were left out', async (t) => {
  const { hub, time, listen } = setUp();
  const all = new FakeSink();
  const one = new FakeSink();
  const other = new FakeSink();
  listen(all);
  listen(one, ['scheduled'], 'one');
  listen(other, ['changed']);
  const batch = Array.from({ length: 5000 }, (_, at) =>
    change('scheduled', String(at), at % 5 === 0 ? 'one' : 'two'),
  );
  for (let count = 0; count < 20; count++) {
    hub.changed(batch);
    await time.advance(40);
  }
  await time.advance(1000);
  const events = all.read();
  const scheduled = events.filter(({ event }) => event === 'scheduled');
  t.ok(scheduled.length >= 100 && scheduled.length <= 180, `${scheduled.length} of 100,000 are told`);
  const leftOut = (of: typeof events) =>
    of
      .filter(({ event }) => event === 'sampled')
      .reduce((sum, { data }) => sum + (data.left_out as { scheduled: number }).scheduled, 0);
  t.equal(scheduled.length + leftOut(events), 100_000, 'each is told or counted');
  const ofOne = one.read();
  t.equal(ofOne.filter(({ event }) => event === 'scheduled').length + leftOut(ofOne), 20_000);
  t.same(other.read(), []);
});

t.test('what the scheduler has left out is told to those whom it concerns', async (t) => {
  const { hub, time, listen } = setUp();
  const all = new FakeSink();
  const one = new FakeSink();
  listen(all);
  listen(one, ['published'], 'one');
  hub.ran(
    [],
    [
      { type: 'published', routingKey: 'one', count: 5 },
      { type: 'published', routingKey: null, count: 70 },
      { type: 'returned', routingKey: null, count: 1 },
    ],
  );
  await time.advance(1000);
  t.match(all.read(), [{ event: 'sampled', data: { left_out: { published: 75, returned: 1 } } }]);
  t.strictSame(
    one.read().map(({ data }) => data.left_out),
    [{ published: 5 }],
  );
  await time.advance(5000);
  t.same(all.read(), [], 'and once');
});

t.test('every 15 s there is a comment', async (t) => {
  const { time, listen } = setUp();
  const sink = new FakeSink();
  listen(sink);
  await time.advance(14_999);
  t.equal(sink.text, '');
  await time.advance(1);
  t.equal(sink.text, ':\n\n');
  await time.advance(15_000);
  t.equal(sink.text, ':\n\n:\n\n');
});

t.test('the name of a job whose messages have a payload is read from the table', async (t) => {
  const { hub, asked, names, errors, listen } = setUp();
  const sink = new FakeSink();
  listen(sink);
  names.answer.set(7, new TextEncoder().encode('seven'));
  hub.ran(
    [run('published', { id: 7, job: null }), run('published'), run('returned', { id: 8, job: null })],
    [],
  );
  await settleMicrotasks();
  t.same(asked, [[7, 8]]);
  t.same(
    sink.read().map(({ data }) => data.job),
    ['seven', '1234', null],
  );
  names.failure = new Error('MySQL is away');
  hub.ran([run('published', { id: 7, job: null })], []);
  hub.ran([run('published')], []);
  await settleMicrotasks();
  t.same(
    sink.read().map(({ data }) => data.job),
    [null, '1234'],
  );
  t.same(errors, []);
});

t.test('no more may listen than the limit', async (t) => {
  const { hub, listen } = setUp();
  const listening = Array.from({ length: 100 }, () => listen(new FakeSink()));
  t.throws(() => listen(new FakeSink()), { code: 'too_many_listeners', status: 503 });
  t.equal(hub.counts.listeners, 100);
  listening[50]!.close();
  listen(new FakeSink());
  t.throws(() => listen(new FakeSink()), { code: 'too_many_listeners' });
});

t.test('all streams end with the ownership, and nothing is left of them', async (t) => {
  const { hub, time, interests, listen } = setUp();
  const sinks = [new FakeSink(), new FakeSink()];
  for (const sink of sinks) listen(sink);
  const told = interests.length;
  hub.end();
  t.ok(sinks.every(({ ended }) => ended));
  t.equal(hub.counts.listeners, 0);
  hub.changed([change('scheduled', 'a')]);
  await time.advance(60_000);
  t.ok(sinks.every(({ text }) => text === ''));
  t.equal(interests.length, told, 'its scheduler ends by itself');
  hub.begin((interest) => interests.push(interest));
  const again = new FakeSink();
  listen(again, ['published']);
  t.match(interests.at(-1), [{ type: 'published', all: true }]);
});
