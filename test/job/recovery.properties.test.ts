import fc from 'fast-check';
import t from 'tap';
import { changeRow, createRow, type JobRequest } from '../../src/job/change-row.ts';
import type { JobRow, Schedule } from '../../src/job/job.ts';
import { decideByRules, type Misfire, type Turn } from '../../src/job/misfire.ts';
import { timetableOf } from '../../src/job/timetable.ts';
import { schedules, times } from './arbitraries.ts';

/**
 * A job's owner, told as simply as can be: it takes the turns that are due when it is awake, and knows when the next one
 * is. After a stop only a watermark is left of it, anything from after the last time that was taken to the next one.
 */
class Owner {
  /** What ran, with how many earlier ones each stands for. */
  readonly runs: { readonly time: number; readonly behind: number }[] = [];
  skipped = 0;
  /** Unix ms; Infinity when the job has ended. */
  due: number;
  /** The last time of which it is known what became of it. */
  #taken: number;
  readonly #schedule: Schedule;
  readonly #id: number;
  readonly #policy: Policy;
  #misfire: Misfire;

  constructor(schedule: Schedule, id: number, policy: Policy, since: number) {
    this.#schedule = schedule;
    this.#id = id;
    this.#policy = policy;
    this.#taken = since - 1;
    this.#misfire = this.#begin();
    this.due = this.#misfire.timetable.firstAtOrAfter(since);
  }

  wake(now: number): void {
    const turn: Turn = { runs: true, time: 0, behind: 0, skipped: 0, next: 0 };
    while (this.due <= now) {
      decideByRules(turn, this.due, this.#misfire, now, LIMITS);
      if (turn.runs) this.runs.push({ time: turn.time, behind: turn.behind });
      this.skipped += turn.skipped;
      this.due = turn.next;
      this.#taken = Math.max(this.#taken, turn.runs ? turn.time : now);
    }
  }

  /** @param share 0 to 1: where the watermark stands between what was taken and what is next */
  restart(share: number, now: number): void {
    this.#misfire = this.#begin();
    const latest = Math.min(this.due, Math.max(now, this.#taken + 1));
    const watermark = this.#taken + 1 + Math.floor(share * (latest - this.#taken - 1));
    this.due = this.#misfire.timetable.firstAtOrAfter(watermark);
  }

  get accounted(): number {
    return this.skipped + this.runs.reduce((sum, { behind }) => sum + behind + 1, 0);
  }

  #begin(): Misfire {
    return {
      timetable: timetableOf({ ...this.#schedule }, this.#id),
      ...this.#policy,
      countLimit: Number.POSITIVE_INFINITY,
      countedThrough: Number.NEGATIVE_INFINITY,
    };
  }
}

type Policy = Pick<Misfire, 'policy' | 'age'>;

const LIMITS = { misfireAfter: 60_000, backlog: 1_000_000 };

const policies = fc.record({
  policy: fc.constantFrom('once' as const, 'skip' as const, 'all' as const),
  age: fc.constantFrom(Number.POSITIVE_INFINITY, 0, 5000, 3_600_000, 86_400_000),
});

/** How long it sleeps, as a share of what it would take to sleep through a few runs; and whether it is stopped meanwhile. */
const sleeps = fc.array(
  fc.record({
    runs: fc.integer({ min: 0, max: 4 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    stopped: fc.boolean(),
    watermark: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  { minLength: 1, maxLength: 10 },
);

function assert(truth: boolean, what: () => unknown): void {
  if (!truth) throw new Error(JSON.stringify(what()));
}

function check<T extends unknown[]>(name: string, property: fc.IPropertyWithHooks<T>, numRuns: number): void {
  t.test(name, async (t) => {
    const { failed, counterexample, errorInstance } = fc.check(property, { numRuns, seed: 20_261_126 });
    t.notOk(failed, failed ? `${JSON.stringify(counterexample)} ${errorInstance}` : 'holds');
  });
}

/** A moment a few runs after `now`, on the way to the next one after those. */
function later(schedule: Schedule, id: number, now: number, runs: number, share: number): number {
  const timetable = timetableOf(schedule, id);
  let time = now;
  for (let left = runs; left > 0; left--) {
    const next = timetable.firstAtOrAfter(time + 1);
    if (next === Number.POSITIVE_INFINITY) return time + Math.floor(share * 86_400_000);
    time = next;
  }
  const next = timetable.firstAtOrAfter(time + 1);
  return time + Math.floor(share * (next === Number.POSITIVE_INFINITY ? 86_400_000 : next - time));
}

const ids = fc.integer({ min: 1, max: 2 ** 48 });

check(
  'whoever is stopped at any moment, and begins anew at its watermark, runs what runs without a stop',
  fc.property(schedules, times, ids, policies, sleeps, (schedule, since, id, policy, moments) => {
    const steady = new Owner(schedule, id, policy, since);
    const stopped = new Owner(schedule, id, policy, since);
    let now = since;
    for (const { runs, share, stopped: isStopped, watermark } of moments) {
      if (isStopped) stopped.restart(watermark, now);
      now = later(schedule, id, now, runs, share);
      if (isStopped) stopped.restart(watermark, now);
      steady.wake(now);
      stopped.wake(now);
      assert(JSON.stringify(stopped) === JSON.stringify(steady), () => [now, stopped, steady]);
    }
    // All that was due is told of once: it ran, or a run stands for it, or it was skipped.
    const due = timetableOf(schedule, id).count(since, now + 1, Number.POSITIVE_INFINITY);
    assert(steady.accounted === due, () => [due, steady]);
    const own = steady.runs.map(({ time }) => time);
    assert(
      own.every((time, index) => time > (own[index - 1] ?? since - 1) && time <= now),
      () => own,
    );
    if (policy.policy === 'all' && policy.age === Number.POSITIVE_INFINITY) {
      assert(own.length === due, () => [due, own]);
    }
    if (policy.policy === 'once' && policy.age === Number.POSITIVE_INFINITY) {
      assert(steady.skipped === 0, () => steady);
    }
  }),
  700,
);

const NAMED = { hash: new Uint8Array(16), routingKey: new Uint8Array([1]), job: new Uint8Array([2]) };
const NOW = Date.UTC(2026, 9, 30, 23, 30);

/** Kinds whose times are near enough to each other that a few runs come soon. */
const counted: fc.Arbitrary<JobRequest> = fc
  .tuple(
    fc.constantFrom<JobRequest>(
      { interval: { ms: 60_000, text: null } },
      { interval: { ms: 7000, text: null }, firstRun: NOW - 3 },
      { interval: { ms: null, text: 'P1D' } },
      { interval: { ms: null, text: 'P1M' }, firstRun: NOW + 5 },
      { cron: '*/15 * * * *' },
      { cron: '30 1 * * *', location: 'America/New_York' },
      { cron: '30 1 * * *', location: 'America/New_York', overlap: 'both' },
    ),
    fc.constantFrom<JobRequest>({}, { jitter: 1 }, { jitter: 30_000 }, { jitter: 7_200_000 }),
    fc.constantFrom<JobRequest>({}, { exclude: ['* 3 * * *'] }, { exclude: ['*/2 * * * *', '2026-11-01'] }),
    fc.integer({ min: 1, max: 12 }),
  )
  .filter(([kind, , { exclude }]) => exclude?.[0] !== '*/2 * * * *' || kind.interval?.ms === 60_000)
  .map(([kind, jitter, exclude, maxRuns]) => ({ ...kind, ...jitter, ...exclude, maxRuns }));

const changes = fc.array(
  fc.record({
    runs: fc.integer({ min: 0, max: 3 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    change: fc.constantFrom<JobRequest>(
      {},
      { enabled: false },
      { enabled: true },
      { jitter: 2000 },
      { jitter: null },
      { misfire: 'all' },
      { interval: { ms: 11_000, text: null }, location: null, overlap: null },
      { cron: '0 * * * *', exclude: null },
    ),
  }),
  { maxLength: 8 },
);

check(
  'a job with max_runs has so many, however often it is stopped, paused or changed',
  fc.property(counted, changes, ids, (request, steps, id) => {
    let row: JobRow = createRow(NAMED, request, NOW, id);
    let now = NOW;
    let accounted = 0;
    for (const { runs, share, change } of steps) {
      now = later(row.schedule, id, now, runs, share) + 1;
      // With its last run it is removed.
      const timetable = timetableOf(row.schedule, id);
      if (row.enabled && timetable.firstAtOrAfter(now) === Number.POSITIVE_INFINITY) break;
      const changed = changeRow(row, NAMED.hash, change, now);
      if (row.enabled && changed.since !== row.since) accounted += timetable.count(row.since, now, 1000);
      row = changed;
    }
    if (!row.enabled) row = changeRow(row, NAMED.hash, { enabled: true }, now + 1);
    const left = timetableOf(row.schedule, id).count(row.since, Number.POSITIVE_INFINITY, 1000);
    assert(left + accounted === request.maxRuns, () => [accounted, left, row]);
  }),
  1000,
);
