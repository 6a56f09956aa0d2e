import { seededRandom } from './random.ts';
import type { SeedJob } from './seed-jobs.ts';

/** How much of the traffic each interval (ms) makes; the rest is one-offs. */
const SHARES: readonly (readonly [intervalMs: number, share: number])[] = [
  [1000, 0.2],
  [2000, 0.2],
  [5000, 0.2],
  [10_000, 0.15],
  [30_000, 0.1],
  [60_000, 0.05],
];
const ONE_OFF_SHARE = 0.1;

export type SteadyLoad = {
  /** Messages a second. */
  readonly rate: number;
  /** Unix ms: the first is due then. */
  readonly from: number;
  /** For how long there are one-offs, ms. */
  readonly duration: number;
  readonly seed: number;
};

/** Jobs whose occurrences make a steady traffic: intervals of 1 s to 60 s at random phases, and one-offs. */
export function steadyLoad({ rate, from, duration, seed }: SteadyLoad): SeedJob[] {
  const random = seededRandom(seed);
  const jobs: SeedJob[] = [];
  const add = (intervalMs: number | null, span: number, count: number) => {
    for (let index = 0; index < count; index++) {
      jobs.push({ job: `s${jobs.length}`, intervalMs, firstRun: from + Math.floor(random() * span) });
    }
  };
  for (const [intervalMs, share] of SHARES) add(intervalMs, intervalMs, (rate * share * intervalMs) / 1000);
  add(null, duration, (rate * ONE_OFF_SHARE * duration) / 1000);
  return jobs;
}
