import t from 'tap';
import { RecoveryRun } from './recovery-run.ts';

const SEEDS = 800;

const CASES = [
  { stepsBack: 0, paced: false },
  { stepsBack: 0.5, paced: false },
  { stepsBack: 0, paced: true },
  { stepsBack: 0.5, paced: true },
];

for (const options of CASES) {
  const clock = options.stepsBack === 0 ? 'goes on' : 'steps back now and then';
  const how = options.paced ? ', catch-ups paced' : '';
  t.test(`crashes and stops with small limits, while the clock ${clock}${how}`, async (t) => {
    const found: string[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const fault = await new RecoveryRun(seed, options).run();
      if (fault !== null) found.push(`seed ${seed}: ${fault}`);
    }
    t.same(found, []);
  });
}
