import t from 'tap';
import { EventSample } from '../../src/protocol/event-sample.ts';

t.test('a burst passes, and then an even part', async (t) => {
  const sample = new EventSample<'a' | 'b'>(100);
  const told: number[] = [];
  for (let at = 0; at < 10_000; at++) if (sample.take('a', at)) told.push(at);
  t.ok(told.length <= 100 + 10 * 100);
  t.ok(told.length >= 1000);
  const late = told.filter((at) => at >= 5000).map((at, index, all) => at - (all[index - 1] ?? at));
  t.ok(
    late.slice(1).every((gap) => gap >= 9 && gap <= 11),
    'each tenth',
  );
  t.ok(sample.take('b', 10_000), 'another type has its own share');
});

t.test('what is left out is counted by type and routing key, until it is taken', async (t) => {
  const sample = new EventSample<'a' | 'b'>();
  sample.leaveOut('a', 'k');
  sample.leaveOut('a', 'k');
  sample.leaveOut('a', null);
  sample.leaveOut('b', null);
  t.same(sample.takeLeftOut(), [
    { type: 'a', routingKey: 'k', count: 2 },
    { type: 'a', routingKey: null, count: 1 },
    { type: 'b', routingKey: null, count: 1 },
  ]);
  t.same(sample.takeLeftOut(), []);
});
