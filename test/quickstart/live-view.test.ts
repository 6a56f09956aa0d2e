import t from 'tap';
import { printable } from '../../src/quickstart/live-view.ts';

t.test('what a client named its job cannot steer the terminal', async (t) => {
  t.equal(printable('\u001b[31mRED\u001b[2J\u0007'), '\u{fffd}[31mRED\u{fffd}[2J\u{fffd}');
  t.equal(printable('line1\nline2\u009b2J'), 'line1\u{fffd}line2\u{fffd}2J');
  t.equal(printable('a feed, é, \u{1f600}'), 'a feed, é, \u{1f600}');
  t.equal(printable('x'.repeat(20_000)).length, 200);
});
