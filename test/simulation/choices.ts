import { type Config, loadConfig } from '../../src/config.ts';
import { LIMITS, type Limits } from '../../src/scheduler-thread/limits.ts';
import { FAULTS, type FaultName } from './fault-names.ts';
import type { Calendar, World } from './world.ts';

/** What a run is like: each is drawn by its seed, so that some runs are full of one thing and free of another. */
export type Choices = {
  readonly instances: 1 | 2;
  /** ms by which the wall clocks differ at most from the oracle's. */
  readonly skew: number;
  /** ms by which all clocks step forwards, once; 0 for never. */
  readonly step: number;
  /** The longest that a message between threads takes as a rule, ms. */
  readonly portDelay: number;
  /** How much slower MySQL is than usual. */
  readonly mysqlLatency: number;
  readonly jobs: number;
  readonly routes: number;
  /** ms between two changes, on average. */
  readonly changePause: number;
  /** How many of the schedules begin at once, 0 to 1. */
  readonly atOnce: number;
  /** How many of the schedules are no plain intervals, 0 to 1. */
  readonly rules: number;
  /** ms between two requests for a run by hand or a backfill, on average; 0: none. */
  readonly spanPause: number;
  /** Messages a second of all backfills together. */
  readonly backfillRate: number;
  /** ms */
  readonly checkpointInterval: number;
  /** ms */
  readonly lease: number;
  readonly withoutLease: Config['withoutLease'];
  readonly publisherThreads: number;
  readonly faults: readonly FaultName[];
  /** ms between two faults, on average. */
  readonly faultPause: number;
  /** How many loads break off, 0 to 1. */
  readonly loadBreaks: number;
  /** So that few jobs are many. */
  readonly limits: Limits;
  readonly batchesAtOnce: number;
  /** Catch-up runs a second; 0 for no limit. */
  readonly catchupRate: number;
  readonly calendar: Calendar;
};

const at = (text: string): number => Date.parse(text);
const DAY = 86_400_000;

/** Moments near which something changes that schedules depend on. */
const MOMENTS: readonly number[] = [
  // New York: a gap, and an hour that comes twice.
  ...[at('2026-03-08T07:00Z'), at('2026-11-01T06:00Z'), at('2100-11-07T06:00Z')],
  // Lord Howe, by half an hour.
  ...[at('2026-10-03T15:30Z'), at('2026-04-04T15:00Z')],
  // Istanbul, for the last times; the ends of months, midnight in Kathmandu, and of what others can count.
  ...[at('2015-11-08T01:00Z'), at('2016-03-27T01:00Z')],
  ...[at('2027-02-01T00:00Z'), at('2028-02-29T00:00Z'), at('2100-03-01T00:00Z'), at('2027-01-31T18:15Z')],
  at('2038-01-19T03:14:08Z'),
];

export function choose(world: World, focus: Partial<Choices>): Choices {
  const faults = FAULTS.filter(() => world.chance(0.35));
  if (faults.length === 0) faults.push('kill');
  const drawn: Choices = {
    instances: world.chance(0.35) ? 2 : 1,
    skew: world.chance(0.2) ? world.between(0, 20_000) : 0,
    step: world.chance(0.08) ? world.between(61_000, 600_000) : 0,
    portDelay: world.chance(0.25) ? 60 : 1.5,
    mysqlLatency: world.chance(0.2) ? 8 : 1,
    jobs: world.chance(0.05) ? 100 : world.whole(8, 24),
    routes: world.whole(2, 4),
    changePause: world.pick([60, 200, 600]),
    atOnce: world.pick([0.1, 0.1, 0.7]),
    rules: world.pick([0, 0.3, 0.8]),
    spanPause: world.pick([0, 300, 1500]),
    backfillRate: 50,
    checkpointInterval: world.pick([100, 500, 500, 500, 1000]),
    lease: world.pick([2000, 3000, 5000]),
    withoutLease: world.chance(0.7) ? 'publish' : 'stop',
    publisherThreads: world.pick([1, 2]),
    faults,
    faultPause: world.pick([400, 1200, 3000]),
    loadBreaks: world.chance(0.4) ? 0.3 : 0,
    limits: {
      batch: world.pick([LIMITS.batch, LIMITS.batch, 4, 1]),
      unconfirmed: world.pick([LIMITS.unconfirmed, LIMITS.unconfirmed, 5]),
      exceptions: world.pick([LIMITS.exceptions, LIMITS.exceptions, LIMITS.exceptions, 6, 1]),
    },
    batchesAtOnce: world.pick([16, 16, 1]),
    catchupRate: 0,
    calendar: drawCalendar(world),
  };
  // So low that catch-ups wait, and so high that all have gone by the end: of days each job may have hundreds.
  const ofDays = drawn.calendar.outage > 0;
  const catchupRate = drawn.jobs * world.pick(ofDays ? [0, 0, 100, 300] : [0, 0, 1, 4, 20]);
  // One thing of which all clocks tell is enough.
  return { ...drawn, catchupRate, ...(ofDays && { step: 0 }), ...focus };
}

/** A moment lies in the run, or in the days in which nothing runs. */
function drawCalendar(world: World): Calendar {
  const moment = world.pick(MOMENTS);
  const outageAt = world.whole(6000, 18_000);
  if (world.chance(0.75)) {
    return { start: moment - world.whole(2000, 20_000), outageAt: Number.POSITIVE_INFINITY, outage: 0 };
  }
  const days = world.pick([0.1, 1, 2, 5, 33, 100]);
  const outage = Math.floor((days + world.between(0, 0.2)) * DAY);
  const start = moment - outageAt - (world.chance(0.7) ? Math.floor(world.between(0, outage)) : 0);
  return { start, outageAt, outage };
}

const DEFAULTS = loadConfig({ env: {}, args: [] }).config;

export function configOf(choices: Choices): Config {
  const { lease, withoutLease, checkpointInterval, publisherThreads, catchupRate } = choices;
  return {
    http: DEFAULTS.http,
    mysql: { host: 'sim', port: 3306, user: 'root', password: '', database: 'test', table: 'dalga' },
    rabbitmq: { host: 'sim', port: 5672, user: 'guest', password: '', vhost: '/', exchange: '' },
    createTableAtStart: false,
    debug: false,
    ...{ lease, withoutLease, checkpointInterval, publisherThreads },
    stopTimeout: 8000,
    misfireAfter: 60_000,
    misfireBacklog: 1000,
    catchupRate,
    backfillRate: choices.backfillRate,
    memoryLimit: 1_000_000_000,
  };
}
