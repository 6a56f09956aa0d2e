import type { BreakageName } from '../breakages/breakages.ts';
import { simulate } from './simulation.ts';

/** npm run simulate -- --seed N --runs N [--trace] */
const args = process.argv.slice(2);
const option = (name: string, otherwise: number) => {
  const at = args.indexOf(`--${name}`);
  return at === -1 ? otherwise : Number(args[at + 1]);
};
const seed = option('seed', 1);
const runs = option('runs', 1);
const at = args.indexOf('--breakage');
const breakage = at === -1 ? undefined : (args[at + 1] as BreakageName);
const stop = args.includes('--stop');
const trace = args.includes('--trace');
const totals = new Map<string, number>();
let failed = 0;
const begun = performance.now();
for (let run = 0; run < runs; run++) {
  const outcome = await simulate({
    seed: seed + run,
    breakage,
    ...(trace ? { show: (line) => console.log(line) } : {}),
  });
  for (const [kind, count] of outcome.counts) totals.set(kind, (totals.get(kind) ?? 0) + count);
  if (runs === 1) console.log(`hash ${outcome.hash}\n${outcome.report}`);
  if (outcome.problems.length === 0) continue;
  failed++;
  console.log(`seed ${seed + run} failed:`);
  for (const problem of outcome.problems.slice(0, 8)) console.log(`  ${problem}`);
  if (stop) break;
}
const took = performance.now() - begun;
console.log(
  [...totals]
    .sort()
    .map(([kind, count]) => `${kind}: ${count}`)
    .join('\n'),
);
console.log(`${runs} runs, ${failed} failed, ${(took / runs).toFixed(1)} ms each`);
process.exitCode = failed > 0 ? 1 : 0;
