import { formatTime } from '../../job/rfc3339.ts';

/** Refused jobs that are named in the report; the rest is only counted. */
const NAMED = 20;

/** Between two lines of progress, ms. */
const PROGRESS_INTERVAL = 1_000;

/** Counts what the import does, and tells it. */
export class ImportReport {
  #taken = 0;
  #present = 0;
  #behind = 0;
  #refused = 0;
  readonly #named: string[] = [];
  readonly #began: number;
  #toldAt = Number.NEGATIVE_INFINITY;

  /** @param began monotonic ms */
  constructor(began: number) {
    this.#began = began;
  }

  get refused(): number {
    return this.#refused;
  }

  refuse(name: string, reason: string): void {
    this.#refused++;
    if (this.#named.length < NAMED) this.#named.push(`refused: ${name}: ${reason}`);
  }

  committed({ taken, present, behind }: { taken: number; present: number; behind: number }): void {
    this.#taken += taken;
    this.#present += present;
    this.#behind += behind;
  }

  /** A line of progress when it is time for one: after the first batch, and then every second. */
  progress(total: number, now: number): string | null {
    if (now - this.#toldAt < PROGRESS_INTERVAL) return null;
    this.#toldAt = now;
    const done = this.#taken + this.#present + this.#refused;
    const rate = Math.round((done * 1000) / Math.max(now - this.#began, 1));
    // The original may still write: more rows than were counted are still not more than all.
    const share = total === 0 ? 100 : Math.min(Math.floor((done * 100) / total), 100);
    return `${done} of ${total} jobs (${share} %), ${rate} a second`;
  }

  /** The lines of the end. @param watermark Unix ms */
  lines(original: string, table: string, watermark: number): string[] {
    const lines = [...this.#named];
    const unnamed = this.#refused - this.#named.length;
    if (unnamed > 0) lines.push(`refused: ${unnamed} more`);
    if (this.#behind > 0) {
      lines.push(
        `${this.#behind} of the jobs taken missed their last run, but table ${table} has run until ` +
          `${formatTime(watermark)}: they go on at their next time`,
      );
    }
    const counts = `${this.#taken} taken, ${this.#present} were there already, ${this.#refused} refused`;
    return [...lines, `import of ${original} into ${table}: ${counts}`];
  }
}
