/**
 * What the oracle is told. All times are Unix ms. `at` is a time by the oracle's own clock (that of the test);
 * scheduled times, stamps and `clock` are by Dalga's, which is the same one unless a test sets them apart.
 */

/** A time that is known exactly, or only to lie between two (both inclusive). */
export type Time = number | { readonly from: number; readonly to: number };

/** When a job runs: at firstRun + k * intervalMs (once when `intervalMs` is 0), and never before `since`. */
export type Plan = {
  readonly intervalMs: number;
  readonly firstRun: Time;
  /** The stamp of the change. */
  readonly since: Time;
  /** The times of a schedule that is no plain interval, all known exactly, and what becomes of missed ones. */
  readonly rules?: PlanRules;
};

export type PlanRules = {
  readonly times: {
    /** Infinity when there is none. Unix ms. */
    firstAtOrAfter(time: number): number;
    lastAtOrBefore(time: number): number;
  };
  readonly misfire: 'once' | 'skip' | 'all';
};

/** What became of a change. */
export type Answer =
  | { readonly result: 'stored'; readonly plan: Plan; readonly created: boolean }
  /** A PUT or POST that changed nothing of when the job runs. */
  | { readonly result: 'kept' }
  | { readonly result: 'deleted'; readonly since: Time }
  /** Nothing was written: refused, or there was no such job. */
  | { readonly result: 'refused' }
  /** It may or may not have been written; `plan` is what it would have made of the job, null for a DELETE. */
  | { readonly result: 'unknown'; readonly plan: Plan | null };

/** A change that was asked for. Those of one job come one after another. */
export type Change = {
  readonly job: string;
  readonly askedAt: number;
  answeredAt: number;
  answer: Answer;
  /** For an outcome that was not known: whether it was written, null while nobody knows. */
  applied: boolean | null;
  /** For one that was written: from here on what it ended must not be sent any more; null where that is not judged. */
  settledAt: number | null;
};

/** One message, from when a publisher was handed it, or where that cannot be seen from when it came. */
export type Attempt = {
  readonly job: string;
  readonly messageId: string;
  /** x-dalga-scheduled-at */
  readonly scheduledAt: number;
  /** x-dalga-missed; 0 for none. */
  readonly missed: number;
  /** When a publisher was handed it, and what its sender's clock said then; null where that cannot be seen. */
  readonly sent: { readonly at: number; readonly clock: number } | null;
  /** When the broker routed it to a queue; null when it never did. */
  arrivedAt: number | null;
  /** When the sender learned that it was confirmed; null when it never did, or when that cannot be seen. */
  confirmedAt: number | null;
  /** The sender's clock when it learned that the message was lost, refused or not sent; null likewise. */
  failed: { readonly at: number; readonly clock: number } | null;
};

/** A span of time, both ends included. */
export type Span = { readonly from: number; readonly to: number };

export function earliest(time: Time): number {
  return typeof time === 'number' ? time : time.from;
}

export function latest(time: Time): number {
  return typeof time === 'number' ? time : time.to;
}
