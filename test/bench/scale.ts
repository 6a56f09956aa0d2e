import type { Bench } from './row.ts';

/** A number of jobs at the run's scale. */
export function scaled({ scale }: Pick<Bench, 'scale'>, jobs: number): number {
  return Math.max(10, Math.round(jobs * scale));
}

/** A time at the run's scale: never so short that nothing would happen. @param ms @param least ms */
export function scaledTime({ scale }: Pick<Bench, 'scale'>, ms: number, least = 500): number {
  return Math.max(least, Math.round(ms * scale));
}
