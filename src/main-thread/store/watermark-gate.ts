import type { Progress } from '../../protocol/main-scheduler.ts';

/** What is durable of the progress. */
export type Checkpoint = {
  /** Unix ms: every occurrence before it is settled, or is one of the exceptions. */
  readonly watermark: number;
  /** As `encodeExceptions` writes them. */
  readonly exceptions: Uint8Array;
};

/** A checkpoint to write. */
export type CheckpointWrite = Checkpoint & {
  /** False: the durable exceptions are these already, and are left alone. */
  readonly exceptionsChanged: boolean;
};

/** The part of the gate that the coalescer uses. */
export type StampGate = {
  /** Gives a stamp to a batch that is about to be written; no watermark above it is given out from here on. */
  open(now: number): number;
  /** The batch certainly wrote nothing. */
  rolledBack(stamp: number): void;
  /** The batch committed and was posted to the scheduler under this number of changes. */
  committed(stamp: number, number: number): void;
};

/** The part of a report that the gate looks at. */
export type GateReport = Pick<Progress, 'acknowledged' | 'frontier' | 'exceptions' | 'settledCount'>;

/**
 * Which watermark may be written. A batch of changes caps it by its stamp, from the moment the stamp
 * is given:
 *
 *   open ----------> rolled back                        the cap is gone
 *     \------------> committed as changes number n      until a report says `acknowledged >= n`
 *
 * Only the report that the checkpoint is made of can lift a cap: one that the scheduler made before it took a
 * change in says nothing of that change, whatever acknowledgement has come meanwhile. Stamps, on their side, never
 * fall below a watermark that was given out, nor a frontier that was reported, so an open batch cannot pull the watermark back.
 *
 * Pure: no I/O, no clock of its own.
 */
export class WatermarkGate implements StampGate {
  #durable: Checkpoint;
  /** The highest watermark that was given out, whether or not it became durable. */
  #sent: number;
  #lastStamp: number;
  /** The highest frontier that was reported: after a step back of the clock what has run lies before it. */
  #reported = 0;
  readonly #open = new Set<number>();
  /** Committed batches that the latest report does not cover: change number by stamp. */
  readonly #unacknowledged = new Map<number, number>();
  #report: (GateReport & { readonly frontier: number }) | null = null;
  /** `settledCount` of the last durable checkpoint that no stamp capped. */
  #durableSettled = 0;
  #writing: { readonly write: CheckpointWrite; readonly settledCount: number } | null = null;

  /** @param lastStamp the highest stamp of this or any earlier owner, Unix ms */
  constructor(durable: Checkpoint, lastStamp: number) {
    this.#durable = durable;
    this.#sent = durable.watermark;
    this.#lastStamp = lastStamp;
  }

  get durable(): Checkpoint {
    return this.#durable;
  }

  open(now: number): number {
    const stamp = Math.max(Math.floor(now), this.#lastStamp + 1, this.#sent, this.#reported);
    this.#lastStamp = stamp;
    this.#open.add(stamp);
    return stamp;
  }

  rolledBack(stamp: number): void {
    this.#open.delete(stamp);
  }

  committed(stamp: number, number: number): void {
    this.#open.delete(stamp);
    // No report that is held can cover it: it was posted just now.
    this.#unacknowledged.set(stamp, number);
  }

  /** Takes in a report; reports come in the order in which the scheduler made them. */
  report({ acknowledged, frontier, exceptions, settledCount }: GateReport): void {
    for (const [stamp, number] of this.#unacknowledged) {
      if (number <= acknowledged) this.#unacknowledged.delete(stamp);
    }
    // While the table loads, the durable checkpoint says more than the scheduler can.
    if (frontier === null || !Number.isFinite(frontier)) return;
    this.#report = { acknowledged, frontier, exceptions, settledCount };
    this.#reported = Math.max(this.#reported, Math.floor(frontier));
  }

  /** Whether a checkpoint is worth a transaction of its own. */
  isDue(): boolean {
    const report = this.#report;
    if (report === null) return false;
    if (!isSame(report.exceptions, this.#durable.exceptions)) return true;
    return (
      report.settledCount > this.#durableSettled && this.#watermark(report.frontier) > this.#durable.watermark
    );
  }

  /** The checkpoint to write now, null when it would change nothing. `finished` must follow before the next one. */
  take(): CheckpointWrite | null {
    const report = this.#report;
    if (report === null || this.#writing !== null) return null;
    const watermark = this.#watermark(report.frontier);
    const exceptionsChanged = !isSame(report.exceptions, this.#durable.exceptions);
    if (watermark === this.#durable.watermark && !exceptionsChanged) return null;
    this.#sent = Math.max(this.#sent, watermark);
    // Exceptions at or after the watermark do no harm: those occurrences are owed anyway.
    const write = { watermark, exceptions: report.exceptions, exceptionsChanged };
    const isCapped = watermark < Math.floor(report.frontier);
    this.#writing = { write, settledCount: isCapped ? this.#durableSettled : report.settledCount };
    return write;
  }

  /** What became of the checkpoint that was taken. */
  finished(committed: boolean): void {
    const writing = this.#writing;
    this.#writing = null;
    if (writing === null || !committed) return;
    const { watermark, exceptions } = writing.write;
    this.#durable = { watermark, exceptions };
    this.#durableSettled = writing.settledCount;
  }

  /**
   * The last checkpoint of a clean stop, to be written after whatever is being written now: it holds whether or
   * not that becomes durable. `complete`: it holds all of the last report; a batch whose outcome is not known, or
   * that the scheduler has not taken in, keeps the watermark below.
   */
  last(): (CheckpointWrite & { readonly complete: boolean }) | null {
    if (this.#report === null) return null;
    const { frontier, exceptions } = this.#report;
    const watermark = Math.max(this.#watermark(frontier), this.#writing?.write.watermark ?? 0);
    return { watermark, exceptions, exceptionsChanged: true, complete: watermark >= Math.floor(frontier) };
  }

  /**
   * W never goes back: where the candidate is below the durable one, that one stays, and the report's exceptions
   * are written with it, for they list whatever is unsettled before it.
   */
  #watermark(frontier: number): number {
    let candidate = Math.floor(frontier);
    for (const stamp of this.#open) candidate = Math.min(candidate, stamp);
    for (const stamp of this.#unacknowledged.keys()) candidate = Math.min(candidate, stamp);
    return Math.max(candidate, this.#durable.watermark);
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && (a === b || Buffer.compare(a, b) === 0);
}
