import type { Test } from 'tap';
import { MUST_HAPPEN } from './fault-names.ts';
import { simulate } from './simulation.ts';

/** What a set of seeds may take on a machine that is busy, ms. */
export const SEEDS_TIMEOUT = 840_000;

/** Runs a set of seeds: each must pass, and of all that can happen nothing may be missing. */
export async function runSeeds(t: Test, first: number, count: number): Promise<void> {
  t.setTimeout(SEEDS_TIMEOUT);
  const counts = new Map<string, number>();
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await simulate({ seed });
    for (const [kind, times] of outcome.counts) counts.set(kind, (counts.get(kind) ?? 0) + times);
    if (outcome.problems.length > 0) {
      t.fail(
        `seed ${seed} (npm run simulate -- --seed ${seed}):\n${outcome.problems.slice(0, 10).join('\n')}`,
      );
    }
  }
  t.same(
    MUST_HAPPEN.filter((kind) => !counts.has(kind)),
    [],
    'every kind of event happened',
  );
  t.comment(
    [...counts]
      .sort()
      .map(([kind, times]) => `${kind}: ${times}`)
      .join('\n'),
  );
}
