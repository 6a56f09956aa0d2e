import t from 'tap';
import { Deduplicator, parseMessage } from '../../src/client/client.ts';

const message = {
  content: Buffer.from('1234'),
  fields: { routingKey: 'check_feed', redelivered: false },
  properties: {
    ...{ appId: 'dalga', messageId: 'k3x9.1.mia1b2c3' },
    headers: { 'x-dalga-scheduled-at': 1_800_000_000_000, 'x-dalga-missed': 2, source: 'feeds' },
  },
};

t.test('a consumer reads messages', async (t) => {
  t.same(parseMessage(message), {
    ...{ routingKey: 'check_feed', job: '1234', body: Buffer.from('1234') },
    ...{ scheduledAt: new Date(1_800_000_000_000), missed: 2, id: 'k3x9.1.mia1b2c3', redelivered: false },
    ...{ headers: message.properties.headers, kind: 'scheduled' },
  });
  const headers = { ...message.properties.headers, 'x-dalga-kind': 'run' };
  t.match(parseMessage({ ...message, properties: { ...message.properties, headers } }), { kind: 'run' });
  const { job } = parseMessage({ ...message, content: Buffer.from('\ufeffa') });
  t.equal(job, '\ufeffa', 'a leading U+FEFF belongs to the name');
  t.equal(parseMessage(null), null, 'the consumer was cancelled');
  t.throws(() => parseMessage({ ...message, properties: {} }), {
    name: 'TypeError',
    message: /not one of Dalga/,
  });
});

t.test('a run is done once its work is done', async (t) => {
  const done = new Deduplicator();
  const run = { id: 'a' };
  t.equal(done.has(run), false);
  t.equal(done.has(run), false, 'the work has failed: it comes again');
  done.add(run);
  t.equal(done.has(run), true);
});

t.test('it forgets the oldest, and what is too old', async (t) => {
  let now = 0;
  const done = new Deduplicator({ limit: 2, maxAge: 100, now: () => now });
  const has = () => ['a', 'b', 'c'].filter((id) => done.has({ id }));
  done.add({ id: 'a' });
  done.add({ id: 'b' });
  done.add({ id: 'a' });
  done.add({ id: 'c' });
  t.same(has(), ['a', 'c'], 'a was added anew');
  now = 99;
  done.add({ id: 'b' });
  t.same(has(), ['b', 'c']);
  now = 100;
  t.same(has(), ['b']);
});
