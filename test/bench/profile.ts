import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What CPU profiles say, in few lines: for each thread the functions that took most themselves.
 *
 *   node dist/test/bench/profile.js FOLDER [how many]
 */
type Profile = {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** us */
  readonly timeDeltas: readonly number[];
};

const [folder = '.', count = '15'] = process.argv.slice(2);
const NOT_WORK = new Set(['(idle)', '(program)', '(root)']);

for (const file of readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'))) {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile;
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const own = new Map<string, number>();
  let busy = 0;
  for (const [index, id] of samples.entries()) {
    const name = names.get(id)!;
    const time = timeDeltas[index]!;
    if (NOT_WORK.has(name)) continue;
    own.set(name, (own.get(name) ?? 0) + time);
    busy += time;
  }
  console.log(`${file}: ${(busy / 1e6).toFixed(2)} s in JavaScript and garbage collection`);
  const largest = [...own].sort(([, one], [, other]) => other - one).slice(0, Number(count));
  for (const [name, time] of largest) {
    const share = `${((100 * time) / busy).toFixed(1)} %`;
    console.log(`  ${share.padStart(7)}  ${(time / 1000).toFixed(0).padStart(7)} ms  ${name}`);
  }
}

function nameOf({ functionName, url, lineNumber }: Profile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const path = url.replace(/^file:\/\//, '').replace(/^.*\/(dist|node_modules)\//, '$1/');
  return `${name}  ${path}:${lineNumber + 1}`;
}
