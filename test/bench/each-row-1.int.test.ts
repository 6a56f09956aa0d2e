import t from 'tap';
import { measureRows } from './each-row.ts';

t.test('each row of the benchmark can be measured', (t) => measureRows(t, 0, 2));
