import t from 'tap';
import { createRow, type JobRequest } from '../../src/job/change-row.ts';
import { planAdded } from '../../src/job/expected-runs.ts';
import { nameJob } from '../../src/job/named-job.ts';
import { forecastAdded } from '../../src/main-thread/added-forecast.ts';
import type { ForecastRange } from '../../src/protocol/forecast.ts';
import { forecast } from '../../src/scheduler-thread/forecast.ts';
import { JobArena } from '../../src/scheduler-thread/job-arena.ts';

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const every = (seconds: number) => ({ interval: { ms: seconds * 1000, text: null } });
const quiet = { now: NOW, monotonic: () => 0, pause: async () => {} };

/** As it would be told if the jobs were stored now. */
async function stored(request: JobRequest, count: number, range: ForecastRange): Promise<number[]> {
  const arena = new JobArena('');
  for (let id = 1; id <= count; id++) {
    arena.add(createRow(nameJob({ routingKey: 'k', job: `job-${id}` }), request, NOW, id));
  }
  return [...(await forecast(range, { arena, ...quiet })).steps];
}

async function added(request: JobRequest, count: number, range: ForecastRange): Promise<number[]> {
  return [...(await forecastAdded([planAdded('k', count, request, NOW)], range, quiet)).steps];
}

const range = (step: number, steps: number, from = NOW) => ({ from, to: from + steps * step, step });

t.test('the same as when they were stored', async (t) => {
  const cases: [string, JobRequest, ForecastRange][] = [
    ['a herd', every(300), range(MINUTE, 30)],
    ['many in each step', every(7), range(MINUTE, 10)],
    ['from before now', every(300), range(MINUTE, 30, NOW - 10 * MINUTE)],
    ['later', every(90), range(MINUTE, 30, NOW + 12_345)],
    ['a first run', { ...every(300), firstRun: NOW + 1234 }, range(10_000, 60)],
    ['at once', { ...every(300), immediate: true }, range(10_000, 60)],
    ['a few', { ...every(60), maxRuns: 3 }, range(MINUTE, 10)],
    ['an end', { ...every(60), lastRun: NOW + 5 * MINUTE }, range(MINUTE, 10)],
    ['one-offs', { oneOff: true, firstRun: NOW + 90_000 }, range(MINUTE, 10)],
    ['a delay', { oneOff: true, ...every(90) }, range(MINUTE, 10)],
    ['cron', { cron: '*/5 * * * *' }, range(MINUTE, 30)],
    ['cron with a zone', { cron: '30 9 * * 1-5', location: 'Europe/Istanbul' }, range(HOUR, 100)],
    ['a calendar', { interval: { ms: null, text: 'P1D' } }, range(HOUR, 100)],
    ['exclusions', { ...every(60), exclude: ['* 8 * * *'] }, range(MINUTE, 90)],
    ['paused', { ...every(60), enabled: false }, range(MINUTE, 10)],
  ];
  for (const [name, request, asked] of cases) {
    t.same(await added(request, 20, asked), await stored(request, 20, asked), name);
  }
});

t.test('what hashes spread is as even as it is on average', async (t) => {
  const count = 4000;
  const cases: [string, JobRequest, ForecastRange][] = [
    ['phases', { ...every(300), phase: 'spread' }, range(MINUTE, 20)],
    ['phases that are wider than a step', { ...every(3600), phase: 'spread' }, range(5 * MINUTE, 24)],
    ['a few runs of each', { ...every(300), phase: 'spread', maxRuns: 2 }, range(MINUTE, 20)],
    ['an end', { ...every(300), phase: 'spread', lastRun: NOW + 7 * MINUTE }, range(MINUTE, 20)],
    [
      'phases, exclusions',
      { ...every(300), phase: 'spread', exclude: ['10-15 * * * *'] },
      range(5 * MINUTE, 8),
    ],
    ['jitter', { ...every(300), jitter: 2 * MINUTE }, range(30_000, 40)],
    ['jitter of a whole interval', { ...every(60), jitter: MINUTE }, range(10_000, 30)],
    ['jitter and cron', { cron: '*/10 * * * *', jitter: 3 * MINUTE }, range(MINUTE, 40)],
  ];
  for (const [name, request, asked] of cases) {
    const expected = await stored(request, count, asked);
    const told = await added(request, count, asked);
    const off = told.map((runs, index) => Math.abs(runs - expected[index]!));
    // Five standard deviations of what hashes give.
    const most = 5 * Math.sqrt(Math.max(...expected));
    t.ok(Math.max(...off) <= most, `${name}: ${told} and ${expected}`);
    const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
    t.ok(Math.abs(sum(told) - sum(expected)) <= most, `${name}, in all`);
  }
});

t.test('200,000 at 5 minutes: a herd, and none', async (t) => {
  const herd = await added(every(300), 200_000, range(MINUTE, 60));
  t.equal(Math.max(...herd), 200_000);
  const spread = await added({ ...every(300), phase: 'spread' }, 200_000, range(MINUTE, 60));
  t.same(new Set(spread), new Set([40_000]));
  const few = await added({ ...every(86_400), phase: 'spread' }, 144, range(MINUTE, 60));
  t.equal(
    few.reduce((total, runs) => total + runs, 0),
    6,
    'less than one in a step is not lost',
  );
});

t.test('each routing key by itself, and a sample says so', async (t) => {
  const jobs = (routingKey: string, count: number, request: JobRequest) =>
    planAdded(routingKey, count, request, NOW);
  const asked = range(MINUTE, 10);
  const { routes, steps, sampled } = await forecastAdded(
    [
      jobs('a', 10, every(60)),
      jobs('b', 1000, { ...every(60), phase: 'spread', exclude: ['2030-01-01'] }),
      jobs('a', 5, every(60)),
    ],
    asked,
    quiet,
  );
  t.equal(sampled, 0.05);
  t.same(
    routes.map(({ routingKey, steps: own }) => [routingKey, own[5]]),
    [
      ['a', 15],
      ['b', 1000],
    ],
  );
  t.equal(steps[5], 1015);
});

t.test('the most that may be asked is bounded, and gives way', async (t) => {
  let pauses = 0;
  let clock = 0;
  const options = {
    now: NOW,
    monotonic: () => clock++,
    pause: async () => {
      pauses++;
    },
  };
  const request = { cron: '* * * * * *', jitter: 1000 };
  const schedules = Array.from({ length: 100 }, (_, index) =>
    planAdded(`key ${index}`, 100_000_000, request, NOW),
  );
  const { steps } = await forecastAdded(schedules, range(86_400_000, 365), options);
  t.ok(pauses >= 25, `${pauses}`);
  t.ok(Math.abs(steps[300]! / (100 * 100_000_000 * 86_400) - 1) < 0.02, `${steps[300]}`);
});
