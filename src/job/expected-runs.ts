import { createRow, type JobRequest } from './change-row.ts';
import type { Schedule } from './job.ts';
import { firstAtOrAfter, isPlain } from './next-run.ts';
import { checkPut } from './plan.ts';
import { timetableOf } from './timetable.ts';

/** Times that are looked at before others may have their turn. */
const BETWEEN_YIELDS = 5;

const NOBODY = { hash: new Uint8Array(16), routingKey: new Uint8Array(0), job: new Uint8Array(0) };

/** Times in Unix ms, `step` in ms. */
export type Steps = { readonly from: number; readonly to: number; readonly step: number };

/** Runs that are to come of many jobs with one schedule. */
export type Expected = {
  /** In each step, as they are to be expected: not all are whole numbers. */
  readonly steps: Float64Array;
  /** The part of the jobs that was looked at; 1: what is told is that of all. */
  readonly sampled: number;
};

/** Jobs that are not stored: so many with one schedule. */
export type AddedJobs = {
  readonly routingKey: string;
  readonly count: number;
  readonly enabled: boolean;
  /** As one of them would be stored, but for its jitter; of `spread` ones that of the first phase. */
  readonly schedule: Schedule;
  /** ms */
  readonly jitter: number;
  /** Their phases are spread evenly over the interval. */
  readonly spread: boolean;
};

/** @throws DalgaError where a PUT with this request would be refused. @param now Unix ms: all are stored then */
export function planAdded(routingKey: string, count: number, request: JobRequest, now: number): AddedJobs {
  checkPut(request);
  const spread = request.phase === 'spread';
  const first = spread ? { ...request, phase: undefined, firstRun: now, anchored: false as const } : request;
  let { schedule } = createRow(NOBODY, first, now, 0);
  const jitter = request.jitter ?? 0;
  // What jitter moves is told apart, and so is the end that follows from max_runs.
  if (jitter > 0) ({ schedule } = createRow(NOBODY, { ...first, jitter: undefined }, now, 0));
  return { routingKey, count, enabled: request.enabled ?? true, schedule, jitter, spread };
}

/** How much is looked at one by one. */
export type Effort = {
  /** Times of a schedule; after them it goes on as it began. */
  readonly times: number;
  /** Phases, where arithmetic does not tell. */
  readonly phases: number;
};

/** What a look at one time costs, where that of a plain cron expression is about 1. */
export function costOfTime({ schedule }: AddedJobs): number {
  return 1 + (schedule.rules?.exclude?.length ?? 0) / 4;
}

/**
 * How often such jobs run in each step. Without `spread` they share one phase; with it their phases, and what jitter
 * moves, are as evenly spread as hashes are on average. Yields now and then, so that others have their turn.
 *
 * @param now Unix ms: all are stored then
 */
export function* expectRuns(
  { count, enabled, schedule, jitter, spread }: AddedJobs,
  now: number,
  range: Steps,
  effort: Effort,
): Generator<void, Expected> {
  const steps = new Float64Array(Math.ceil((range.to - range.from) / range.step));
  const counted = { range, steps, since: now, most: effort.times };
  if (!enabled) return { steps, sampled: 1 };
  if (!spread || schedule.kind !== 'interval') {
    yield* countTimes(schedule, count, jitter, counted);
    return { steps, sampled: 1 };
  }
  const { intervalMs, rules } = schedule;
  if (rules?.exclude === undefined) {
    const runs = rules?.maxRuns ?? Number.POSITIVE_INFINITY;
    const end = Math.min(now + runs * intervalMs, (rules?.lastRun ?? Number.POSITIVE_INFINITY) + 1);
    addEvenly(steps, range, now, end, count / intervalMs);
    return { steps, sampled: 1 };
  }
  const phases = Math.min(count, effort.phases);
  for (let phase = 0; phase < phases; phase++) {
    const later = Math.floor(((phase + 0.5) * intervalMs) / phases);
    const share = { ...counted, most: Math.max(1, Math.floor(effort.times / phases)) };
    yield* countTimes(movedBy(schedule, later), count / phases, jitter, share);
  }
  return { steps, sampled: phases / count };
}

/** The same at another phase; the end that follows from max_runs moves with it. @param later ms */
function movedBy(schedule: Schedule, later: number): Schedule {
  const { rules } = schedule;
  const endsAt = rules?.endsAt;
  const moved = { ...schedule, firstRun: schedule.firstRun + later };
  return endsAt === undefined ? moved : { ...moved, rules: { ...rules, endsAt: endsAt + later } };
}

type Counted = {
  readonly range: Steps;
  readonly steps: Float64Array;
  /** Unix ms. */
  readonly since: number;
  readonly most: number;
};

/** Adds `weight` at each time of a schedule without jitter, or over the `jitter` (ms) after it. */
function* countTimes(
  schedule: Schedule,
  weight: number,
  jitter: number,
  { range, steps, since, most }: Counted,
): Generator<void> {
  const { from, to, step } = range;
  const plain = isPlain(schedule);
  const timetable = plain ? null : timetableOf(schedule, 0);
  const next = (time: number) => timetable?.firstAtOrAfter(time) ?? firstAtOrAfter(schedule, time, 0);
  let time = next(Math.max(from - jitter, since));
  if (jitter === 0 && schedule.kind === 'interval' && plain && schedule.intervalMs <= step) {
    // Several in each step: their number follows from the phase.
    for (let index = Math.floor((time - from) / step); time < to && index < steps.length; index++) {
      const end = Math.min(from + (index + 1) * step, to);
      const inStep = Math.max(0, Math.ceil((end - time) / schedule.intervalMs));
      steps[index]! += inStep * weight;
      time += inStep * schedule.intervalMs;
    }
    return;
  }
  const first = time;
  const lastRun = schedule.rules?.lastRun ?? Number.POSITIVE_INFINITY;
  for (let left = most; time < to; left--) {
    if (left === 0) {
      // A cron expression of each second, say: on average it goes on as it began.
      addEvenly(steps, range, time, to, (most * weight) / (time - first));
      return;
    }
    const after = next(time + 1);
    const width = Math.min(jitter + 1, after - time, lastRun - time + 1);
    addEvenly(steps, range, time, time + width, weight / width);
    time = after;
    if (left % BETWEEN_YIELDS === 0) yield;
  }
}

/** Adds so many a ms to the steps between two times. */
function addEvenly(
  steps: Float64Array,
  { from, to, step }: Steps,
  start: number,
  end: number,
  aMillisecond: number,
): void {
  const last = Math.min(end, to);
  let time = Math.max(start, from);
  for (let index = Math.floor((time - from) / step); time < last; index++) {
    const until = Math.min(from + (index + 1) * step, last);
    steps[index]! += (until - time) * aMillisecond;
    time = until;
  }
}
