import t from 'tap';
import { RecentRuns } from '../../src/scheduler-thread/recent-runs.ts';

function collect(runs: RecentRuns, id: number, since: number): number[] {
  const times = new Set<number>();
  runs.collect(id, since, times);
  return [...times].sort((a, b) => a - b);
}

t.test('the times at which a job has run, from a time on', async (t) => {
  const runs = new RecentRuns();
  runs.add(1, 100, 101);
  runs.add(2, 100, 102);
  runs.add(1, 200, 205);
  t.same(collect(runs, 1, 0), [100, 200]);
  t.same(collect(runs, 1, 150), [200]);
  t.same(collect(runs, 1, 100), [100, 200], 'an earlier time than the question before');
  t.same(collect(runs, 3, 0), []);
  runs.add(1, 300, 301);
  t.same(collect(runs, 1, 150), [200, 300], 'what came since the question before');
});

t.test('a clock that stepped back hides none of them', async (t) => {
  const runs = new RecentRuns();
  runs.add(1, 5000, 5001);
  for (let run = 0; run < 10; run++) runs.add(2, 1000 + run, 1001 + run);
  t.same(collect(runs, 1, 5000), [5000]);
});

t.test('it remembers the last 131,072', async (t) => {
  const runs = new RecentRuns();
  for (let run = 0; run < 200_000; run++) runs.add(run, run, run);
  t.same(collect(runs, 199_999, 0), [199_999]);
  t.same(collect(runs, 200_000 - 131_072, 0), [200_000 - 131_072]);
  t.same(collect(runs, 199_999 - 131_072, 0), []);
});
