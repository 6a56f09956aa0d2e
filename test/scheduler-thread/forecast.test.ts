import fc from 'fast-check';
import t from 'tap';
import { forecast } from '../../src/scheduler-thread/forecast.ts';
import { JobArena } from '../../src/scheduler-thread/job-arena.ts';
import { intervalRow, oneOffRow } from '../helpers/rows.ts';

const FROM = 1_800_000_000_000;

/** As one would by hand: each time of each job, one after another. */
function byHand(jobs: readonly [number, number][], to: number, step: number): number[] {
  const steps = new Array<number>(Math.ceil((to - FROM) / step)).fill(0);
  for (const [interval, firstRun] of jobs) {
    const times = interval === 0 ? [firstRun] : [];
    for (let time = firstRun; interval > 0 && time < to; time += interval) times.push(time);
    for (const time of times) if (time >= FROM && time < to) steps[Math.floor((time - FROM) / step)]!++;
  }
  return steps;
}

async function ask(arena: JobArena, to: number, step: number, monotonic = () => 0) {
  let pauses = 0;
  const pause = async () => {
    pauses++;
  };
  return { ...(await forecast({ from: FROM, to, step }, { arena, monotonic, pause })), pauses };
}

t.test('counts what will be due in each step', async (t) => {
  const job = fc.tuple(
    fc.constantFrom(0, 1000, 7000, 60_000, 3_600_000),
    fc.integer({ min: FROM - 10_000_000, max: FROM + 10_000_000 }),
  );
  const range = fc.tuple(fc.integer({ min: 1000, max: 8_000_000 }), fc.constantFrom(1000, 60_000, 1_000_000));
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(job, { maxLength: 20 }), range, async (jobs, [length, step]) => {
      const arena = new JobArena('');
      for (const [index, [interval, firstRun]] of jobs.entries()) {
        const changes = { since: 0, key: `key ${index % 3}` };
        arena.add(
          interval === 0
            ? oneOffRow(index, firstRun, changes)
            : intervalRow(index, interval, firstRun, changes),
        );
      }
      const { steps, routes, sampled } = await ask(arena, FROM + length, step);
      compared++;
      const expected = byHand(jobs, FROM + length, step);
      const ofRoutes = expected.map((_, at) => routes.reduce((sum, route) => sum + route.steps[at]!, 0));
      return sampled === 1 && `${[...steps]}` === `${expected}` && `${ofRoutes}` === `${expected}`;
    }),
    { numRuns: 200 },
  );
  t.equal(compared, 200);
});

t.test('leaves out what does not run', async (t) => {
  const arena = new JobArena('');
  arena.add(intervalRow(1, 1000, FROM, { enabled: false }));
  arena.add(intervalRow(2, 1000, FROM, { since: FROM + 5000 }));
  arena.markSettled(arena.add(oneOffRow(3, FROM + 1)));
  arena.remove(arena.add(intervalRow(4, 1000, FROM)));
  const { steps } = await ask(arena, FROM + 10_000, 5000);
  t.same([...steps], [0, 5]);
});

t.test('the busiest routing keys are told apart', async (t) => {
  const arena = new JobArena('');
  for (let id = 1; id <= 25; id++)
    arena.add(intervalRow(id, id * 1000, FROM, { since: 0, key: `key ${id}` }));
  const { routes, steps } = await ask(arena, FROM + 60_000, 60_000);
  t.equal(routes.length, 21);
  t.equal(routes[0]!.routingKey, 'key 1');
  t.equal(routes.at(-1)!.routingKey, null, 'the others are summed up');
  t.equal(
    routes.reduce((sum, route) => sum + route.steps[0]!, 0),
    steps[0],
  );
});

t.test('gives way while it looks, and takes a sample of many', async (t) => {
  const arena = new JobArena('');
  for (let id = 1; id <= 400_000; id++)
    arena.add(intervalRow(id, 60_000, FROM + (id % 60_000), { since: 0 }));
  let clock = 0;
  const { steps, sampled, pauses } = await ask(arena, FROM + 60_000, 1000, () => clock++);
  t.equal(sampled, 0.5);
  t.equal(
    steps.reduce((sum, count) => sum + count, 0),
    400_000,
  );
  t.ok(Math.max(...steps) <= 7000, '6,000 or 7,000 in each');
  t.ok(pauses > 50, 'it never has the thread for long');
});
