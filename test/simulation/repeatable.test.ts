import t from 'tap';
import { simulate } from './simulation.ts';

t.test('a seed is repeatable to the byte', async (t) => {
  const trace = async (seed: number) => {
    const lines: string[] = [];
    const { hash, problems } = await simulate({ seed, show: (line) => lines.push(line) });
    t.same(problems, []);
    return { hash, lines };
  };
  for (const seed of [3, 14]) {
    const first = await trace(seed);
    // Another run in between must leave nothing behind.
    await simulate({ seed: seed + 1 });
    const second = await trace(seed);
    t.equal(first.hash, second.hash);
    t.same(first.lines, second.lines);
    t.ok(first.lines.length > 300, 'a good deal happened');
  }
});

t.test('another seed is another run', async (t) => {
  const [one, other] = [await simulate({ seed: 1 }), await simulate({ seed: 2 })];
  t.not(one.hash, other.hash);
});
