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
  /** Monotonic ms. */
  #takenAt = Number.NEGATIVE_INFINITY;
  /** Monotonic ms: no transaction for a checkpoint alone before it. */
  #notBefore = Number.NEGATIVE_INFINITY;
  #timer: unknown = null;
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
    if (this.#stopped || this.#timer !== null || !this.#isDue()) return;
    this.#timer = this.#timers.set(
      () => this.#write(),
      Math.max(this.#wait(), this.#notBefore - clock.monotonic(), 0),
    );
  }

  stop(): void {
    this.#stopped = true;
    this.#timers.clear(this.#timer);
    this.#timer = null;
  }

  take(): ProgressWrite | null {
    const { gate, spans, clock } = this.#options;
    if (this.#stopped || this.#wait() > 0) return null;
    const write = { checkpoint: gate.take(), spans: spans.take() };
    if (write.checkpoint === null && write.spans === null) return null;
    this.#takenAt = clock.monotonic();
    return write;
  }

  finished(committed: boolean): void {
    this.#options.gate.finished(committed);
    this.#options.spans.finished(committed);
    // One that was not written must not wait out an interval again.
    if (!committed) this.#takenAt = Number.NEGATIVE_INFINITY;
  }

  async #write(): Promise<void> {
    const { session, log, clock, interval } = this.#options;
    // A timer may fire a fraction of a ms early.
    if (this.#wait() > 0 && !this.#stopped) {
      this.#timer = this.#timers.set(() => this.#write(), this.#wait());
      return;
    }
    try {
      if (this.#isDue() && !this.#stopped) await session.transaction(async () => NOTHING_BUT_A_CHECKPOINT);
    } catch (error) {
      if (!this.#stopped && !isTold(error)) log.error({ err: error }, 'a checkpoint was not written');
      // A server that refuses is not asked again with every report.
      this.#notBefore = clock.monotonic() + interval;
    } finally {
      // The next report looks again whether one is due.
      this.#timer = null;
    }
  }

  #isDue(): boolean {
    const { gate, spans } = this.#options;
    return gate.isDue() || spans.isDue();
  }

  /** ms until the next may be written. */
  #wait(): number {
    const { clock, interval } = this.#options;
    return this.#takenAt + interval - clock.monotonic();
  }
}

const NOTHING_BUT_A_CHECKPOINT = { write: false, value: undefined } as const;
