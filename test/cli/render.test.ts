import t from 'tap';
import { barChart, block, table } from '../../src/cli/render.ts';

t.test('tables', async (t) => {
  const rows = [
    ['check_feed', `https://example.com/${'x'.repeat(100)}`],
    ['k', 'a\n\x1b[2J\u202e'],
  ];
  const shown = table(['KEY', 'JOB'], rows, { width: 40 }).split('\n');
  t.ok(shown.every((line) => line.length <= 40));
  t.match(shown[1], /^check_feed {2}https:\/\/example\.com\/x+…$/);
  t.equal(shown[2], 'k           a\\n\\u001b[2J\\u202e', 'what would move the cursor is written out');
  t.equal(table(['KEY', 'JOB'], [['k', 'j\tj']], { width: null }), 'k\tj\\tj');
  t.equal(table(['KEY', 'JOB'], [], { width: 40 }), 'KEY  JOB');
});

t.test('characters that are drawn two columns wide', async (t) => {
  const rows = [
    ['日本', '1'],
    ['é', '2'],
    ['🙂', '3'],
  ];
  t.equal(table(['A', 'B'], rows, { width: 40 }), 'A     B\n日本  1\né     2\n🙂    3');
  t.equal(table(['A'], [['日本日本日本']], { width: 8 }).split('\n')[1], '日本日…');
});

t.test('blocks and charts', async (t) => {
  t.equal(
    block([
      ['a', 'x'],
      ['long', [1]],
    ]),
    'a     x\nlong  [1]',
  );
  const bars: [string, number][] = [
    ['a', 10],
    ['b', 5],
    ['c', 0],
  ];
  t.equal(barChart(bars, { width: 20 }), `a  10  ${'█'.repeat(13)}\nb   5  ${'█'.repeat(7)}\nc   0`);
});
