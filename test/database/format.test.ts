import t from 'tap';
import { formatStatement } from '../../src/database/format.ts';

t.test('each value stands in its place', async (t) => {
  const values = [
    1,
    -2.5,
    null,
    Uint8Array.of(0, 255),
    Buffer.from('a?b'),
    "o'clock \\ ?",
    9_007_199_254_740_991,
  ];
  const sql = 'A ? B ? C ? D ? E ? F ? G ?';
  t.equal(
    formatStatement({ sql, values }),
    "A 1 B -2.5 C NULL D X'00ff' E X'613f62' F 'o\\'clock \\\\ ?' G 9007199254740991",
  );
  t.equal(
    formatStatement({ sql: "SET x = '?'", values: [] }),
    "SET x = '?'",
    'without values nothing is looked at',
  );
  t.equal(formatStatement({ sql: 'x = ?', values: [new Uint8Array(0)] }), "x = X''");
});

t.test('rows are one value', async (t) => {
  const rows = [
    [1, null],
    ['?', Buffer.from('b')],
  ];
  t.equal(
    formatStatement({ sql: 'VALUES ? AND ?', values: [rows, 2] }),
    "VALUES (1, NULL), ('?', X'62') AND 2",
  );
});

t.test('as many values as places', async (t) => {
  t.throws(() => formatStatement({ sql: '?, ?', values: [1] }), RangeError);
  t.throws(() => formatStatement({ sql: '?', values: [1, 2] }), RangeError);
});
