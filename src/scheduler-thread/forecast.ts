import { addSteps, addToKey, type Forecast, type ForecastRange } from '../protocol/forecast.ts';
import type { JobArena } from './job-arena.ts';

/** Looks at jobs for so long at a time, ms: then what is due has its turn. */
const SLICE = 3;
/** Jobs between two looks at the clock. */
const JOBS_AT_A_TIME = 500;
/** Jobs that are looked at: of more, these are a sample. */
const MOST_JOBS = 200_000;
/** Times of a job that are looked at one by one, where there is no arithmetic for them. */
const MOST_TIMES = 2000;
/** Routing keys that are told apart. */
const MOST_ROUTES = 20;

export type ForecastOptions = {
  readonly arena: JobArena;
  /** Monotonic ms. */
  readonly monotonic: () => number;
  /** Resolves when what is due has had its turn. */
  readonly pause: () => Promise<void>;
};

/**
 * Counts the scheduled times to come. Jobs are in no order of their times in the arena, so that each n-th of them is a
 * fair sample.
 */
export async function forecast(range: ForecastRange, options: ForecastOptions): Promise<Forecast> {
  const { arena, monotonic, pause } = options;
  const { from, to, step } = range;
  const count = Math.ceil((to - from) / step);
  const stride = Math.max(1, Math.ceil(arena.size / MOST_JOBS));
  const byRoute = new Map<number, Float64Array>();
  let until = monotonic() + SLICE;
  for (let slot = 0, left = JOBS_AT_A_TIME; slot < arena.end; slot += stride) {
    if (--left === 0) {
      left = JOBS_AT_A_TIME;
      if (monotonic() > until) {
        await pause();
        until = monotonic() + SLICE;
      }
    }
    if (!arena.isEnabled(slot) || arena.isSettled(slot)) continue;
    const route = arena.route.get(slot);
    let steps = byRoute.get(route);
    if (steps === undefined) {
      steps = new Float64Array(count);
      byRoute.set(route, steps);
    }
    countTimes(arena, slot, range, steps, stride);
  }
  return sumUp(byRoute, arena, count, 1 / stride);
}

function countTimes(
  arena: JobArena,
  slot: number,
  { from, to, step }: ForecastRange,
  steps: Float64Array,
  weight: number,
): void {
  const interval = arena.misfire(slot) === null ? arena.interval.get(slot) : 0;
  let time = arena.firstAtOrAfter(slot, Math.max(from, arena.since.get(slot)));
  if (interval > 0 && interval <= step) {
    // Several in each step: their number follows from the phase.
    for (let index = Math.floor((time - from) / step); time < to && index < steps.length; index++) {
      const end = Math.min(from + (index + 1) * step, to);
      const inStep = Math.ceil((end - time) / interval);
      steps[index]! += inStep * weight;
      time += inStep * interval;
    }
    return;
  }
  const first = time;
  for (let left = MOST_TIMES; time < to && (interval > 0 || left > 0); left--) {
    steps[Math.floor((time - from) / step)]! += weight;
    time = interval > 0 ? time + interval : arena.firstAtOrAfter(slot, time + 1);
  }
  // A cron expression of each second, say: on average it goes on as it began.
  const often = MOST_TIMES / (time - first);
  for (let index = Math.floor((time - from) / step); time < to && index < steps.length; index++) {
    const end = Math.min(from + (index + 1) * step, to);
    steps[index]! += (end - time) * often * weight;
    time = end;
  }
}

/** A route may have gone while others were looked at; its jobs are not counted then. */
function sumUp(
  byRoute: ReadonlyMap<number, Float64Array>,
  arena: JobArena,
  count: number,
  sampled: number,
): Forecast {
  const total = new Float64Array(count);
  const byKey = new Map<string, Float64Array>();
  for (const [route, steps] of byRoute) {
    const key = arena.routes.find(route)?.routingKey;
    if (key === undefined) continue;
    addToKey(byKey, key, steps);
  }
  const busiest = [...byKey].sort(([, a], [, b]) => sum(b) - sum(a));
  const routes: { routingKey: string | null; steps: Float64Array }[] = [];
  for (const [index, [routingKey, steps]] of busiest.entries()) {
    addSteps(total, steps);
    if (index < MOST_ROUTES) routes.push({ routingKey, steps });
    else if (index === MOST_ROUTES) routes.push({ routingKey: null, steps: steps.slice() });
    else addSteps(routes[MOST_ROUTES]!.steps, steps);
  }
  return { sampled, steps: total, routes };
}

function sum(steps: Float64Array): number {
  return steps.reduce((total, value) => total + value, 0);
}
