import type { Clock, Timers } from '../../clock.ts';
import { systemTimers } from '../../clock.ts';
import type { Progress } from '../../protocol/main-scheduler.ts';
import type { CheckpointSource, OwnerSession, ProgressWrite, StoreLog } from './owner-session.ts';
import { isTold } from './owner-session.ts';
import type { SpanPositions } from './span-positions.ts';
import type { WatermarkGate } from './watermark-gate.ts';

export type CheckpointOptions = {
  readonly session: OwnerSession;
  readonly gate: WatermarkGate;
  readonly spans: SpanPositions;
  readonly clock: Clock;
  readonly timers?: Timers;
  readonly log: StoreLog;
  /** ms between two checkpoints. */
  readonly interval: number;
};

export type CheckpointWriter = {
  /** Takes a report of the scheduler in; a checkpoint follows when one is due. */
  report(progress: Progress): void;
  /** Writes nothing more by itself; `session.release` writes the last one. */
  stop(): void;
};

/**
 * Writes checkpoints: at most one in each interval, riding on whatever transaction runs then, and in one of its
 * own when something settled and none came along.
 */
export function createCheckpointWriter(options: CheckpointOptions): CheckpointWriter {
  return new IntervalCheckpoints(options);
}

class IntervalCheckpoints implements CheckpointWriter, CheckpointSource {
  readonly #options: CheckpointOptions;
  readonly #timers: Timers;
  /** When the last checkpoint was taken, and the last positions of spans, monotonic ms. */
  #takenAt = Number.NEGATIVE_INFINITY;
  #spansTakenAt = Number.NEGATIVE_INFINITY;
  /** Monotonic ms: no transaction for a checkpoint alone before it. */
  #notBefore = Number.NEGATIVE_INFINITY;
  #timer: unknown = null;
  #writing = false;
  #stopped = false;

  constructor(options: CheckpointOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
    options.session.attach(this);
  }

  report(progress: Progress): void {
    const { gate, spans, clock } = this.#options;
    gate.report(progress);
    spans.report(progress.spans);
    const wait = this.#wait();
    if (this.#stopped || this.#writing || wait === Number.POSITIVE_INFINITY) return;
    // What this report brings may be due before what was to be written.
    this.#writeIn(Math.max(wait, this.#notBefore - clock.monotonic(), 0));
  }

  stop(): void {
    this.#stopped = true;
    this.#timers.clear(this.#timer);
    this.#timer = null;
  }

  take(): ProgressWrite | null {
    const { gate, spans, clock, interval } = this.#options;
    const now = clock.monotonic();
    if (this.#stopped || now < this.#takenAt + interval) return null;
    const checkpoint = gate.take();
    // Spans alone begin no interval: a checkpoint that is due a moment later is not to wait for it.
    const positions = checkpoint === null && now < this.#spansTakenAt + interval ? null : spans.take();
    if (checkpoint === null && positions === null) return null;
    if (checkpoint !== null) this.#takenAt = now;
    this.#spansTakenAt = now;
    return { checkpoint, spans: positions };
  }

  finished(committed: boolean): void {
    this.#options.gate.finished(committed);
    this.#options.spans.finished(committed);
    if (committed) return;
    // One that was not written must not wait out an interval again.
    this.#takenAt = Number.NEGATIVE_INFINITY;
    this.#spansTakenAt = Number.NEGATIVE_INFINITY;
  }

  #writeIn(delay: number): void {
    this.#timers.clear(this.#timer);
    this.#timer = this.#timers.set(() => this.#write(), delay);
  }

  async #write(): Promise<void> {
    const { session, log, clock, interval } = this.#options;
    if (this.#stopped) return;
    const wait = this.#wait();
    // A timer may fire a fraction of a ms early.
    if (wait > 0 && wait < Number.POSITIVE_INFINITY) return this.#writeIn(wait);
    this.#writing = true;
    try {
      if (wait <= 0) await session.transaction(async () => NOTHING_BUT_A_CHECKPOINT);
    } catch (error) {
      if (!this.#stopped && !isTold(error)) log.error({ err: error }, 'a checkpoint was not written');
      // A server that refuses is not asked again with every report.
      this.#notBefore = clock.monotonic() + interval;
    } finally {
      // The next report looks again whether one is due.
      this.#writing = false;
    }
  }

  /** ms until something is to be written, even in a transaction of its own; Infinity while there is nothing. */
  #wait(): number {
    const { gate, spans, clock, interval } = this.#options;
    const now = clock.monotonic();
    if (gate.isDue()) return this.#takenAt + interval - now;
    if (!spans.isDue()) return Number.POSITIVE_INFINITY;
    return Math.max(this.#takenAt, this.#spansTakenAt) + interval - now;
  }
}

const NOTHING_BUT_A_CHECKPOINT = { write: false, value: undefined } as const;
