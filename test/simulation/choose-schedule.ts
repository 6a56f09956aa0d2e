import type { JobRequest } from '../../src/job/change-row.ts';
import { zoneOf } from '../../src/job/zone.ts';
import type { Choices } from './choices.ts';
import type { World } from './world.ts';

/** s, of runs whose jobs run within seconds, and of those in which days pass. */
const INTERVALS = [1, 1, 2, 2, 3, 5, 5, 7, 10, 15, 30, 60];
const SLOW_INTERVALS = [10_800, 21_600, 86_400];
const DAY = 86_400_000;

const LOCATIONS = ['America/New_York', 'Australia/Lord_Howe', 'Europe/Istanbul', 'Asia/Kathmandu', 'UTC'];

type Told = Pick<Choices, 'step' | 'calendar'>;

export function drawInterval(world: World, { calendar }: Told): { ms: number; text: null } {
  return { ms: world.pick(calendar.outage > 0 ? SLOW_INTERVALS : INTERVALS) * 1000, text: null };
}

/** Each kind of schedule and rule, at a pace that shows in the run. */
export function drawRules(world: World, choices: Told): JobRequest {
  const slow = choices.calendar.outage > 0;
  const daily = world.chance(slow ? 0.8 : 0.35);
  const kind = daily ? drawDaily(world) : drawQuick(world, choices);
  const rule = world.pick<JobRequest>([
    {},
    { jitter: slow ? world.pick([700, 7_200_000]) : 700 },
    { exclude: slow ? drawDays(world, choices) : ['*/3 * * * * *'] },
    { maxRuns: world.whole(1, 6) },
    {
      lastRun: Math.floor(
        world.unix() + world.between(2000, 12_000) + world.random() * choices.calendar.outage,
      ),
    },
  ]);
  // After minutes, or days, each missed run of many jobs would hold up all that is due, or be too many.
  const few = slow ? daily : choices.step === 0;
  const all: JobRequest = few ? { misfire: 'all' } : {};
  const misfire = world.pick<JobRequest>([{}, {}, all, { misfire: 'skip' }]);
  // Never what is stored: a change of the misfire rule alone plans nothing anew, and when it counts is not judged.
  const firstRun = Math.floor(world.unix() + world.between(0, 1500));
  return { firstRun, ...kind, ...rule, ...misfire };
}

/** What runs each second or so, in a zone or by its hours; of runs in which days pass, each hour or so. */
function drawQuick(world: World, choices: Told): JobRequest {
  if (choices.calendar.outage > 0) return { interval: drawInterval(world, choices) };
  const clock = world.chance(0.5) ? drawClock(world) : {};
  const { location = 'UTC' } = clock;
  const hour = localTime(world.unix(), location).getUTCHours();
  return world.pick<JobRequest>([
    { interval: drawInterval(world, choices) },
    { ...clock, cron: world.pick(['*/2 * * * * *', '* * * * * *', '1,4,30 * * * * *']) },
    { ...clock, cron: `*/2 * ${[hour, (hour + 1) % 24, (hour + 2) % 24].sort((a, b) => a - b)} * * *` },
    { ...clock, cron: `*/3 * ${(hour + world.whole(0, 1)) % 24} * * *` },
    { ...clock, interval: { ms: null, text: world.pick(['P0DT2S', 'P0DT5S']) } },
  ]);
}

/** What runs once a day or a month, soon after now; by the calendar from now on, or from days or months ago. */
function drawDaily(world: World): JobRequest {
  const clock = drawClock(world);
  const { location = 'UTC' } = clock;
  const soon = Math.floor(world.unix() + world.between(0, 9000));
  const local = localTime(soon, location);
  const ofDay = `${local.getUTCSeconds()} ${local.getUTCMinutes()} ${local.getUTCHours()}`;
  const ago = world.pick([0, 0, 1, 2, 28, 29, 30, 31, 365, 366]) * DAY;
  return world.pick<JobRequest>([
    { ...clock, cron: `${ofDay} * * *` },
    {
      ...clock,
      cron: `${ofDay} ${world.pick(['L * *', '*/2 * *', '* * MON-FRI', 'LW * *', '1,29,31 * *'])}`,
    },
    { ...clock, cron: `*/20 ${local.getUTCMinutes()} ${local.getUTCHours()} * * *` },
    {
      ...clock,
      interval: { ms: null, text: world.pick(['P1D', 'P1D', 'P1M', 'P1W', 'P1DT12H', 'P1Y']) },
      firstRun: soon - ago,
    },
  ]);
}

function drawClock(world: World): Omit<JobRequest, 'location'> & { readonly location?: string } {
  return {
    location: world.pick(LOCATIONS),
    ...world.pick<Pick<JobRequest, 'gap'>>([{}, {}, { gap: 'skip' }, { gap: 'run' }]),
    ...world.pick<Pick<JobRequest, 'overlap'>>([{}, {}, { overlap: 'first' }, { overlap: 'both' }]),
  };
}

/** Some of the days in which nothing runs. */
function drawDays(world: World, { calendar }: Told): string[] {
  const day = () => new Date(world.unix() + world.random() * calendar.outage).toISOString().slice(0, 10);
  const [first = '', last = ''] = [day(), day()].sort();
  return world.pick([[day()], [`${first}/${last}`], ['* * * * SAT,SUN'], ['* * 28-31 * *', first]]);
}

/** The local time, as the UTC fields of a date. */
function localTime(time: number, location: string): Date {
  return new Date(time + zoneOf(location).segmentAt(time).offset);
}
