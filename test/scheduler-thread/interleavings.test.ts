import fc from 'fast-check';
import t from 'tap';
import { anything, type Command, changesOfOne } from './commands.ts';
import { ModelStage } from './model-stage.ts';

/** Fixed, so that a failure can be repeated; fast-check names it with the path to the smallest case. */
const SEED = 20_141_111;

/** Runs many sequences of commands. @returns how often each thing happened in all of them */
async function play(commands: fc.Arbitrary<Command[]>, runs: number): Promise<Map<string, number>> {
  const happened = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(commands, fc.boolean(), async (all, loaded) => {
      const stage = new ModelStage();
      await stage.run(all, loaded);
      for (const [what, count] of stage.happened) happened.set(what, (happened.get(what) ?? 0) + count);
    }),
    { seed: SEED, numRuns: runs },
  );
  return happened;
}

t.test('jobs change while their occurrences are due or in flight, in any order of events', async (t) => {
  const happened = await play(anything, 800);
  for (const what of [
    'planned anew',
    'changed while something is out',
    'confirmed',
    'failed',
    'an outcome of what is not owed any more',
    'a one-off settled',
    'a thread lost',
    'crash',
    'a clean stop',
  ]) {
    t.ok((happened.get(what) ?? 0) > 50, `${what}: ${happened.get(what)} times`);
  }
});

t.test('one job changes over and over within a few ms', async (t) => {
  const happened = await play(changesOfOne, 2500);
  for (const what of ['planned anew', 'changed while something is out', 'confirmed', 'failed']) {
    t.ok((happened.get(what) ?? 0) > 1000, `${what}: ${happened.get(what)} times`);
  }
});
