import { type AddedJobs, costOfTime, type Expected, expectRuns } from '../job/expected-runs.ts';
import { addSteps, addToKey, type Forecast, type ForecastRange } from '../protocol/forecast.ts';

/** Looks at schedules for so long at a time, ms: then requests have their turn. */
const SLICE = 3;
/** Times that are looked at one by one, of all schedules together. */
const MOST_TIMES = 10_000;
const LEAST_TIMES = 5;
/** Phases of all schedules together, and of one, where they are not told by arithmetic. */
const MOST_PHASES = 200;
const PHASES = 50;

export type AddedForecastOptions = {
  /** Unix ms: all are stored now. */
  readonly now: number;
  /** Monotonic ms. */
  readonly monotonic: () => number;
  /** Resolves when requests have had their turn. */
  readonly pause: () => Promise<void>;
};

/** What jobs would add that are not stored, in the form of what is stored. */
export async function forecastAdded(
  added: readonly AddedJobs[],
  range: ForecastRange,
  { now, monotonic, pause }: AddedForecastOptions,
): Promise<Forecast> {
  const total = new Float64Array(Math.ceil((range.to - range.from) / range.step));
  const byKey = new Map<string, Float64Array>();
  const times = MOST_TIMES / added.length;
  const phases = Math.max(1, Math.min(PHASES, Math.floor(MOST_PHASES / added.length)));
  let sampled = 1;
  let until = monotonic() + SLICE;
  const givingWay = async (work: Generator<void, Expected>): Promise<Expected> => {
    for (;;) {
      const { done, value } = work.next();
      if (monotonic() >= until) {
        await pause();
        until = monotonic() + SLICE;
      }
      if (done) return value;
    }
  };
  for (const jobs of added) {
    const effort = { times: Math.max(LEAST_TIMES, Math.floor(times / costOfTime(jobs))), phases };
    const expected = await givingWay(expectRuns(jobs, now, range, effort));
    sampled = Math.min(sampled, expected.sampled);
    addToKey(byKey, jobs.routingKey, expected.steps);
    addSteps(total, expected.steps);
  }
  const routes = [...byKey].map(([routingKey, steps]) => ({ routingKey, steps: inWholes(steps) }));
  return { sampled, steps: inWholes(total), routes };
}

/** Whole numbers whose sums are those of the given ones, rounded: nothing is lost of what is less than one in a step. */
function inWholes(steps: Float64Array): Float64Array {
  let sum = 0;
  let told = 0;
  return steps.map((runs) => {
    sum += runs;
    // Sums of fractions are a little less than the whole number that they mean.
    const whole = Math.floor(sum + 0.5 + 1e-6) - told;
    told += whole;
    return whole;
  });
}
