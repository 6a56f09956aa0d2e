import type { SpanProgress } from '../../job/span.ts';
import type { SpansProgress } from '../../protocol/main-scheduler.ts';

/** What is to be written of one span; null: its row is to be deleted. */
type Pending = SpanProgress | null;

/**
 * How far spans have come, from the scheduler's reports to the rows: what has changed waits for the next checkpoint,
 * which any report may be written with, since a span's position never goes back.
 */
export class SpanPositions {
  readonly #pending = new Map<number, Pending>();
  #writing: ReadonlyMap<number, Pending> | null = null;

  report({ moved, ended }: SpansProgress): void {
    for (const span of moved) this.#pending.set(span.id, span);
    for (const id of ended) this.#pending.set(id, null);
  }

  isDue(): boolean {
    return this.#pending.size > 0;
  }

  /** What to write now, null when there is nothing. `finished` must follow before the next one. */
  take(): SpansProgress | null {
    if (this.#pending.size === 0) return null;
    this.#writing = new Map(this.#pending);
    return this.last();
  }

  /** What became of what was taken. */
  finished(committed: boolean): void {
    const writing = this.#writing;
    this.#writing = null;
    if (writing === null || !committed) return;
    for (const [id, span] of writing) if (this.#pending.get(id) === span) this.#pending.delete(id);
  }

  /** All that may not be written yet, for the last checkpoint of a clean stop. */
  last(): SpansProgress | null {
    if (this.#pending.size === 0) return null;
    const moved: SpanProgress[] = [];
    const ended: number[] = [];
    for (const [id, span] of this.#pending) {
      if (span === null) ended.push(id);
      else moved.push(span);
    }
    return { moved, ended };
  }
}
