import t from 'tap';
import { BREAKAGES, type BreakageName } from '../breakages/breakages.ts';
import { FOCUS } from './focus.ts';
import { simulate } from './simulation.ts';

/** The most seeds that a breakage may take until it is found. */
const LIMIT = 200;

t.setTimeout(840_000);

for (const breakage of Object.keys(BREAKAGES) as BreakageName[]) {
  t.test(`found: ${breakage}`, async (t) => {
    const focus = FOCUS[breakage];
    let seed = 1;
    let said: readonly string[] = [];
    for (; seed <= LIMIT && said.length === 0; seed++) {
      said = (await simulate({ seed, breakage, focus })).problems;
      if (said.length === 0) continue;
      t.same((await simulate({ seed, focus })).problems, [], 'without it the same run has no fault');
    }
    t.ok(said.length > 0, `within ${LIMIT} seeds`);
    t.comment(`${breakage} | ${seed - 1} | ${said[0]}`);
  });
}
