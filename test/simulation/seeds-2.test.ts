import t from 'tap';
import { runSeeds } from './seeds.ts';

t.test('500 runs from seed 501', (t) => runSeeds(t, 501, 500));
