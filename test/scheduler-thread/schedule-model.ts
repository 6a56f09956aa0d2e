import type { JobRow } from '../../src/job/job.ts';

/**
 * What the scheduler owes, told again as simply as can be (DESIGN's invariants 4, 5, 11, 12 and 13): a job owes its
 * latest scheduled time that has come, since an earlier one is superseded by it; that time is settled once a
 * message of it was confirmed, whichever schedule of the job the message was of. There is no queue, no flight and
 * no list here: all is worked out anew from the rows and the confirms at each look.
 */
export class ScheduleModel {
  /** The jobs as they are stored. */
  readonly rows = new Map<number, JobRow>();
  /** Occurrences of which a message was confirmed, or returned. */
  #confirmed: Set<string>;
  /** Messages that a publisher has, or whose end the scheduler has not heard of. */
  readonly #out = new Set<string>();

  constructor(confirmed: Iterable<string> = []) {
    this.#confirmed = new Set(confirmed);
  }

  /** The occurrence that a job owes now, and that is not settled; null when there is none. Unix ms. */
  unsettled(row: JobRow, now: number): number | null {
    const time = this.#latest(row, now);
    return time === null || this.#confirmed.has(nameOf(row.id, time)) ? null : time;
  }

  /** Why this message must not go out now; null when it must. */
  objection(id: number, time: number, now: number): string | null {
    const row = this.rows.get(id);
    if (row === undefined) return 'its job is not there';
    if (time > now) return 'its time has not come';
    if (this.#confirmed.has(nameOf(id, time))) return 'it was confirmed already';
    if (this.#out.has(nameOf(id, time))) return 'a publisher has it already';
    const latest = this.#latest(row, now);
    return latest === time ? null : `its job owes ${latest}`;
  }

  /** Whether the job has this time, as it is now: superseded or not, settled or not. */
  owes(id: number, time: number): boolean {
    const row = this.rows.get(id);
    return row !== undefined && this.#latest(row, time) === time;
  }

  isConfirmed(id: number, time: number): boolean {
    return this.#confirmed.has(nameOf(id, time));
  }

  sent(id: number, time: number): void {
    this.#out.add(nameOf(id, time));
  }

  /** A publisher has told what became of a message. */
  ended(id: number, time: number, confirmed: boolean): void {
    this.#out.delete(nameOf(id, time));
    if (confirmed) this.#confirmed.add(nameOf(id, time));
  }

  /** The confirmed occurrences before a watermark, as a checkpoint of now stands for them. */
  confirmedBefore(watermark: number): string[] {
    return [...this.#confirmed].filter((name) => Number(name.split('@')[1]) < watermark);
  }

  /** The process has ended: what publishers had is gone, and of the confirms only these are known. */
  restart(confirmed: Iterable<string>): void {
    this.#confirmed = new Set(confirmed);
    this.#out.clear();
  }

  get confirmed(): ReadonlySet<string> {
    return this.#confirmed;
  }

  #latest({ enabled, since, schedule }: JobRow, now: number): number | null {
    if (!enabled || now < schedule.firstRun) return null;
    const step = schedule.kind === 'interval' ? schedule.intervalMs : Number.POSITIVE_INFINITY;
    const behind = step === Number.POSITIVE_INFINITY ? 0 : (now - schedule.firstRun) % step;
    const time = schedule.kind === 'interval' ? now - behind : schedule.firstRun;
    return time < since ? null : time;
  }
}

function nameOf(id: number, time: number): string {
  return `${id}@${time}`;
}
