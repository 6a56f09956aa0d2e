import t from 'tap';
import { runSeeds, SEEDS_TIMEOUT } from './seeds.ts';

t.setTimeout(SEEDS_TIMEOUT);

t.test('500 runs from seed 1001', (t) => runSeeds(t, 1001, 500));
