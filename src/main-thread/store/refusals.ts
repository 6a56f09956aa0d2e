import type { Clock } from '../../clock.ts';

export type RefusalsOptions = {
  readonly clock: Clock;
  /** MySQL can be reached but takes no writes (why, for a person), or takes them again (null). */
  readonly onRefused: (reason: string | null) => void;
};

/** Without a refusal for this long, ms, and with a write that went through, MySQL takes writes again. */
const CALM = 2_000;

/**
 * Whether MySQL, while it can be reached, takes what the owner writes: it may be read-only, full, or locked by
 * somebody. Each change of state is told once; where some writes go through and others do not, they are refused.
 */
export class Refusals {
  readonly #options: RefusalsOptions;
  /** Monotonic ms of the last one; null while writes go through. */
  #last: number | null = null;

  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  refused(error: unknown): void {
    const first = this.#last === null;
    this.#last = this.#options.clock.monotonic();
    if (first) this.#options.onRefused(error instanceof Error ? error.message : String(error));
  }

  written(): void {
    if (this.#last === null || this.#options.clock.monotonic() < this.#last + CALM) return;
    this.#last = null;
    this.#options.onRefused(null);
  }
}
