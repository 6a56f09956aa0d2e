import t from 'tap';
import { runSeeds, SEEDS_TIMEOUT } from './seeds.ts';

t.setTimeout(SEEDS_TIMEOUT);

t.test('500 runs from seed 1', (t) => runSeeds(t, 1, 500));
