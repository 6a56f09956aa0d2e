import { LATENESS_BOUNDS } from '../protocol/lateness.ts';
import type { SchedulerCounters } from '../protocol/main-scheduler.ts';

/** The counters of all schedulers that this process has had, and what the last of them has now. */
export type Totals = SchedulerCounters & {
  /** Unsettled when this instance lost the table: the next owner runs them. */
  readonly handedOver: number;
};

export const NO_TOTALS: Totals = {
  jobs: 0,
  jobBytes: 0,
  dueNow: 0,
  due: 0,
  dispatched: 0,
  confirmed: 0,
  returned: 0,
  rerouted: 0,
  nacked: 0,
  lost: 0,
  superseded: 0,
  skipped: 0,
  cancelled: 0,
  recovered: 0,
  inFlight: 0,
  heldBack: 0,
  catchUpsWaiting: 0,
  connections: 0,
  reconnects: 0,
  spans: { openRuns: 0, openBackfills: 0, runs: 0, backfilled: 0, returned: 0 },
  lateness: { counts: new Float64Array(LATENESS_BOUNDS.length + 1), sum: 0 },
  handedOver: 0,
};

/** What is so now, and not counted since the start: it ends with the scheduler. */
const NOTHING_NOW = {
  jobs: 0,
  jobBytes: 0,
  dueNow: 0,
  inFlight: 0,
  heldBack: 0,
  catchUpsWaiting: 0,
  connections: 0,
};

/**
 * Sums over the schedulers of one process: each starts from 0, and a counter that fell would look like a restart
 * of the process.
 */
export class SchedulerTotals {
  #ended: Totals = NO_TOTALS;
  #current: SchedulerCounters | null = null;
  #tenure = 0;

  /** A scheduler starts. @returns where its reports go: late ones, after `end`, count for nothing */
  begin(): (counters: SchedulerCounters) => void {
    const tenure = ++this.#tenure;
    return (counters) => {
      if (tenure === this.#tenure) this.#current = counters;
    };
  }

  /** The scheduler has ended, and what it left unsettled is the next owner's. */
  end(): void {
    this.#tenure++;
    const { inFlight, heldBack, handedOver, spans, ...rest } = this.read();
    this.#current = null;
    this.#ended = {
      ...rest,
      ...NOTHING_NOW,
      spans: { ...spans, openRuns: 0, openBackfills: 0 },
      handedOver: handedOver + inFlight + heldBack,
    };
  }

  read(): Totals {
    const past = this.#ended;
    const now = this.#current;
    if (now === null) return past;
    return {
      ...now,
      due: past.due + now.due,
      dispatched: past.dispatched + now.dispatched,
      confirmed: past.confirmed + now.confirmed,
      returned: past.returned + now.returned,
      rerouted: past.rerouted + now.rerouted,
      nacked: past.nacked + now.nacked,
      lost: past.lost + now.lost,
      superseded: past.superseded + now.superseded,
      skipped: past.skipped + now.skipped,
      cancelled: past.cancelled + now.cancelled,
      recovered: past.recovered + now.recovered,
      reconnects: past.reconnects + now.reconnects,
      spans: {
        ...now.spans,
        runs: past.spans.runs + now.spans.runs,
        backfilled: past.spans.backfilled + now.spans.backfilled,
        returned: past.spans.returned + now.spans.returned,
      },
      lateness: {
        counts: past.lateness.counts.map((count, bucket) => count + now.lateness.counts[bucket]!),
        sum: past.lateness.sum + now.lateness.sum,
      },
      handedOver: past.handedOver,
    };
  }
}
