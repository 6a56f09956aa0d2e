import type { OutcomeCode, PublisherReport } from '../protocol/scheduler-publisher.ts';

/**
 * Gathers the outcomes of messages that were answered as pending, and reports those of one turn of the event
 * loop together: a confirm frees its place at once, and a thousand in one read of the socket cost one message.
 */
export class LateOutcomes {
  readonly #threadId: number;
  readonly #report: (report: PublisherReport) => void;
  #batches: number[] = [];
  #positions: number[] = [];
  #outcomes: number[] = [];

  constructor(threadId: number, report: (report: PublisherReport) => void) {
    this.#threadId = threadId;
    this.#report = report;
  }

  add(batch: number, position: number, outcome: OutcomeCode): void {
    if (this.#batches.length === 0) setImmediate(() => this.flush());
    this.#batches.push(batch);
    this.#positions.push(position);
    this.#outcomes.push(outcome);
  }

  flush(): void {
    if (this.#batches.length === 0) return;
    this.#report({
      type: 'outcomes.settled',
      threadId: this.#threadId,
      batches: Float64Array.from(this.#batches),
      positions: Uint32Array.from(this.#positions),
      outcomes: Uint8Array.from(this.#outcomes),
    });
    this.#batches = [];
    this.#positions = [];
    this.#outcomes = [];
  }
}
