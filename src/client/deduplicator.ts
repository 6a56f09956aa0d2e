import type { DalgaMessage } from './consumer.ts';

export type DeduplicatorOptions = {
  /** Messages that are remembered; 100,000 by default. */
  readonly limit?: number;
  /** ms that one is remembered; for ever by default. Repetitions come within seconds, or the length of an outage. */
  readonly maxAge?: number;
  /** Monotonic, ms. */
  readonly now?: () => number;
};

/**
 * Remembers the runs that are done, so that one which comes twice is worked on once: by this process. It is asked before
 * the work and told after it, since a run whose work has failed comes again, and is to be worked on then. So one that comes
 * again while it is still worked on, since its channel was lost, is worked on twice.
 */
export class Deduplicator {
  readonly #limit: number;
  readonly #maxAge: number;
  readonly #now: () => number;
  /** When each was added; the oldest first. */
  readonly #done = new Map<string, number>();

  constructor({ limit = 100_000, maxAge = Number.POSITIVE_INFINITY, now }: DeduplicatorOptions = {}) {
    this.#limit = limit;
    this.#maxAge = maxAge;
    this.#now = now ?? (() => performance.now());
  }

  /** Whether its work is done already. */
  has({ id }: Pick<DalgaMessage, 'id'>): boolean {
    const at = this.#done.get(id);
    return at !== undefined && this.#now() - at < this.#maxAge;
  }

  /** Its work is done. */
  add({ id }: Pick<DalgaMessage, 'id'>): void {
    const now = this.#now();
    this.#done.delete(id);
    this.#done.set(id, now);
    for (const [oldest, at] of this.#done) {
      if (this.#done.size <= this.#limit && now - at < this.#maxAge) break;
      this.#done.delete(oldest);
    }
  }
}
