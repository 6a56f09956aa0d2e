/** The value below or at which `share` (0 to 1) of the values lie (nearest rank); undefined when there are none. */
export function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

export type Arrival = {
  /** The job: a feed's URL. */
  job: string;
  /** ms, the wall clock; undefined when the message has no such header. */
  scheduledAt: number | undefined;
  receivedAt: number;
};

/** Messages a second are taken over this time. ms */
const RATE_WINDOW = 10_000;
/** Lateness is taken over this many messages. */
const LATENESS_WINDOW = 1000;
const RECENT = 5;

/** What the live view shows of the messages. */
export class Statistics {
  total = 0;
  /** Times that passed before this start, and messages that an earlier one had left in the queue. */
  fromBefore = 0;
  readonly recent: Arrival[] = [];
  readonly #lateness: number[] = [];
  #arrivals: number[] = [];
  #since = Number.POSITIVE_INFINITY;

  /** What was scheduled before `since` (ms, the wall clock) counts, but is not late: nothing ran then. */
  runningSince(since: number): void {
    this.#since = since;
  }

  add(arrival: Arrival): void {
    this.total += 1;
    this.#arrivals.push(arrival.receivedAt);
    this.recent.unshift(arrival);
    this.recent.length = Math.min(this.recent.length, RECENT);
    if (arrival.scheduledAt === undefined) return;
    if (arrival.scheduledAt < this.#since) {
      this.fromBefore += 1;
      return;
    }
    this.#lateness.push(arrival.receivedAt - arrival.scheduledAt);
    if (this.#lateness.length > LATENESS_WINDOW) this.#lateness.shift();
  }

  /** Messages a second over the last 10 s, or since the start when that is shorter. */
  rate(now: number): number {
    this.#arrivals = this.#arrivals.filter((time) => time > now - RATE_WINDOW);
    const seconds = Math.min(RATE_WINDOW, Math.max(1000, now - this.#since)) / 1000;
    return this.#arrivals.length / seconds;
  }

  /** ms; from the scheduled time to the message's arrival here. */
  lateness(share: number): number | undefined {
    return percentile(this.#lateness, share);
  }
}
