import type { SettledJob } from '../../job/job.ts';

/** A row that was read before its deletion is recognised for this long after it, ms. */
const REMEMBERED = 10_000;

/**
 * One-off jobs that have settled: absent for the API from then on, and deleted a little later, many at once
 *. Each is known by id and version, so that a job which was changed meanwhile is not one of them.
 */
export class SettledJobs {
  /** The version by id: of those to delete, and for a while of those deleted. */
  readonly #versions = new Map<number, number>();
  #pending: SettledJob[] = [];
  #deleted: { readonly id: number; readonly version: number; readonly at: number }[] = [];
  /** Monotonic ms when the oldest of the pending ones came. */
  #since = 0;

  get size(): number {
    return this.#pending.length;
  }

  /** Monotonic ms since which one waits. */
  get since(): number {
    return this.#since;
  }

  has(id: number, version: number): boolean {
    return this.#versions.get(id) === version;
  }

  add(jobs: readonly SettledJob[], now: number): void {
    if (this.#pending.length === 0) this.#since = now;
    for (const job of jobs) {
      this.#versions.set(job.id, job.version);
      this.#pending.push(job);
    }
  }

  /** The ones to delete next; those that are not deleted are to be given back with `return`. */
  take(limit: number, now: number): readonly SettledJob[] {
    const taken = this.#pending.slice(0, limit);
    this.#pending = this.#pending.slice(limit);
    this.#since = now;
    return taken;
  }

  return(jobs: readonly SettledJob[]): void {
    this.#pending = [...jobs, ...this.#pending];
  }

  /** These were deleted. */
  deleted(jobs: readonly SettledJob[], now: number): void {
    for (const { id, version } of jobs) this.#deleted.push({ id, version, at: now });
    const kept = this.#deleted.findIndex(({ at }) => now - at < REMEMBERED);
    for (const { id, version } of this.#deleted.splice(0, kept)) this.forget({ id, version });
  }

  /** This one was changed before it could be deleted: it lives on under another version. */
  forget({ id, version }: SettledJob): void {
    if (this.#versions.get(id) === version) this.#versions.delete(id);
  }
}
