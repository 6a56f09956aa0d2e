import t from 'tap';
import { runSeeds } from './seeds.ts';

t.test('500 runs from seed 1', (t) => runSeeds(t, 1, 500));
