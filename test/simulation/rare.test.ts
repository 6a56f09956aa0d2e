import t from 'tap';
import { RARE } from './fault-names.ts';
import { simulate } from './simulation.ts';

const LIMIT = 300;

t.setTimeout(300_000);

/** Statements that are lost, and owners that freeze, in the middle of transactions too: locks are held for long. */
const HELD_LOCKS = {
  ...({ faults: ['mysql statements fail', 'freeze'], instances: 2, lease: 2000 } as const),
  ...{ faultPause: 300, changePause: 60 },
};

t.test('what is rare happens where it is likely', async (t) => {
  const missing = new Set(RARE);
  for (let seed = 1; seed <= LIMIT && missing.size > 0; seed++) {
    const { counts, problems } = await simulate({ seed, focus: HELD_LOCKS });
    t.same(problems, [], `seed ${seed}`);
    for (const kind of counts.keys()) missing.delete(kind);
  }
  t.same([...missing], []);
});
