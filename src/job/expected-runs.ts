import { DalgaError } from '../errors.ts';
import { createRow, type JobRequest } from './change-row.ts';
import type { Schedule } from './job.ts';
import { firstAtOrAfter, isPlain } from './next-run.ts';
import { checkPut } from './plan.ts';

/** Where a schedule's phases are not to be told by arithmetic, so many of them are looked at. */
const PHASES = 50;

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

/** @throws DalgaError where a PUT with this request would be refused. @param now Unix ms */
export function checkExpected(request: JobRequest, now: number): void {
  checkPut(request);
  createRow(NOBODY, request.phase === 'spread' ? atPhase(request, now) : request, now, 0);
}

/**
 * How often jobs would run that are all stored at `now` (Unix ms) with this request. Without `phase=spread` they share
 * one phase; with it their phases, and what jitter moves, are as evenly spread as hashes are on average. Yields now and
 * then, so that others have their turn.
 *
 * @param request one that `checkExpected` took
 * @param count how many jobs
 * @param most times that are looked at one by one; after them it goes on as it began
 */
export function* expectRuns(
  request: JobRequest,
  count: number,
  now: number,
  range: Steps,
  most: number,
): Generator<void, Expected> {
  const steps = new Float64Array(Math.ceil((range.to - range.from) / range.step));
  const counted = { range, steps, since: now, most };
  if (request.enabled === false) return { steps, sampled: 1 };
  // What jitter moves is added below; the end that follows from max_runs is that of the times before.
  const base = { ...request, jitter: undefined };
  if (request.phase !== 'spread') {
    yield* countTimes(createRow(NOBODY, base, now, 0).schedule, count, request.jitter ?? 0, counted);
    return { steps, sampled: 1 };
  }
  const intervalMs = request.interval!.ms!;
  if ((request.exclude ?? []).length === 0) {
    const runs = request.maxRuns ?? Number.POSITIVE_INFINITY;
    const end = Math.min(now + runs * intervalMs, (request.lastRun ?? Number.POSITIVE_INFINITY) + 1);
    spread(steps, range, now, end, count / intervalMs);
    return { steps, sampled: 1 };
  }
  const phases = Math.min(count, PHASES);
  for (let phase = 0; phase < phases; phase++) {
    const first = now + Math.floor(((phase + 0.5) * intervalMs) / phases);
    const schedule = scheduleAt(base, now, first);
    if (schedule === null) continue;
    const share = { ...counted, most: Math.ceil(most / phases) };
    yield* countTimes(schedule, count / phases, request.jitter ?? 0, share);
  }
  return { steps, sampled: phases / count };
}

function atPhase(request: JobRequest, firstRun: number): JobRequest {
  return { ...request, phase: undefined, firstRun, anchored: false };
}

/** Null where nothing is left to run at this phase. */
function scheduleAt(request: JobRequest, now: number, firstRun: number): Schedule | null {
  try {
    return createRow(NOBODY, atPhase(request, firstRun), now, 0).schedule;
  } catch (error) {
    if (error instanceof DalgaError) return null;
    throw error;
  }
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
  const next = (time: number) => firstAtOrAfter(schedule, time, 0);
  let time = next(Math.max(from - jitter, since));
  if (jitter === 0 && schedule.kind === 'interval' && isPlain(schedule) && schedule.intervalMs <= step) {
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
      spread(steps, range, time, to, (most * weight) / (time - first));
      return;
    }
    const after = next(time + 1);
    const width = Math.min(jitter + 1, after - time, lastRun - time + 1);
    spread(steps, range, time, time + width, weight / width);
    time = after;
    if (left % 100 === 0) yield;
  }
}

/** Adds so many a ms to the steps between two times. */
function spread(
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
