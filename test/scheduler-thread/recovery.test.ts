import t from 'tap';
import { RecoveryRun } from './recovery-run.ts';

const SEEDS = 800;

for (const stepsBack of [0, 0.5]) {
  const clock = stepsBack === 0 ? 'goes on' : 'steps back now and then';
  t.test(`crashes and stops with small limits, while the clock ${clock}`, async (t) => {
    const found: string[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const fault = await new RecoveryRun(seed, { stepsBack }).run();
      if (fault !== null) found.push(`seed ${seed}: ${fault}`);
    }
    t.same(found, []);
  });
}
