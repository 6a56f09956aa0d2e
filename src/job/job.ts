/**
 * A job's name: the pair that identifies it. Both are valid UTF-8 and are compared byte for byte: case, trailing
 * spaces and normalisation forms make different jobs.
 */
export type JobKey = { readonly routingKey: string; readonly job: string };

/** Bytes of UTF-8: AMQP 0-9-1's shortstr. */
export const ROUTING_KEY_LIMIT = 255;

/** Bytes of UTF-8. */
export const JOB_LIMIT = 20_000;

/** Seconds. */
export const INTERVAL_LIMIT = 4_294_967_295;

/** When a job runs; times in Unix ms, durations in ms. */
export type Schedule = {
  /** Whether the client named first_run. */
  readonly anchored: boolean;
  /** What few jobs ask for; absent for the others. */
  readonly rules?: Rules | undefined;
} & (
  | {
      readonly kind: 'interval';
      readonly intervalMs: number;
      /** The interval as an ISO 8601 duration where the client gave one, else null. */
      readonly intervalText: string | null;
      /** The phase: it runs at firstRun + k * intervalMs, k >= 0. */
      readonly firstRun: number;
    }
  | {
      readonly kind: 'one_off';
      /** The delay that the client gave as an interval, else null. */
      readonly intervalMs: number | null;
      readonly intervalText: string | null;
      /** The one time at which it runs; never before `since`. */
      readonly firstRun: number;
    }
  | {
      readonly kind: 'calendar';
      readonly intervalMs: null;
      /** An ISO 8601 duration with years, months, weeks or days in it. */
      readonly intervalText: string;
      /** It runs at firstRun + k times the duration, k >= 0, on the calendar of `rules.location`. */
      readonly firstRun: number;
    }
  | {
      readonly kind: 'cron';
      readonly intervalMs: null;
      readonly intervalText: null;
      /** Five fields, six with seconds, or a nickname such as @daily. */
      readonly cron: string;
      /** It does not run before this. */
      readonly firstRun: number;
    }
);

/** What a schedule may have beside its times; each is there only where the client gave it. */
export type Rules = {
  /** IANA time zone whose calendar and clock count; UTC by default. */
  readonly location?: string;
  /** A local time that a change of the clock leaves out: nothing runs, or it runs at the gap's end. */
  readonly gap?: 'skip' | 'run';
  /** A local time that comes twice. */
  readonly overlap?: 'first' | 'both';
  /** Dates (2026-12-25), ranges of dates (2026-12-24/2026-12-31, both included), and cron expressions. */
  readonly exclude?: readonly string[];
  /** ms: each occurrence is moved later by up to this. */
  readonly jitter?: number;
  /** Unix ms: it does not run after this. */
  readonly lastRun?: number;
  /** Unix ms: until then a client keeps it back, and its phase stays. */
  readonly notBefore?: number;
  /** How many occurrences it has, counted from when the client said so. */
  readonly maxRuns?: number;
  /** How many of them are left from `since` on, 0 only while the job is paused; absent while it is all of them. */
  readonly runsLeft?: number;
  /** What follows from those, worked out when it was planned: the time of the last occurrence, Unix ms. */
  readonly endsAt?: number;
  /** What becomes of missed occurrences; `once` where absent. */
  readonly misfire?: 'skip' | 'all';
  /** ms: an occurrence that is older at its turn is dropped. */
  readonly misfireAge?: number;
};

/** A job as it is stored. */
export type JobRow = {
  /** Unique for ever: never used again, even after the job was deleted. */
  readonly id: number;
  /** Grows with every change of the row. */
  readonly version: number;
  /** Stamp of the last change of schedule, Unix ms: the job owes nothing from before. */
  readonly since: number;
  readonly enabled: boolean;
  readonly routingKey: Uint8Array;
  readonly job: Uint8Array;
  readonly schedule: Schedule;
  /** What its message has beside what every message has; absent for most. */
  readonly message?: MessageOptions | undefined;
  /** The message's body, where it is not the job itself. */
  readonly payload?: Uint8Array | undefined;
  /** Sorted, without repetitions. */
  readonly tags?: readonly string[] | undefined;
  /** A person's remark, as why it is paused. */
  readonly note?: string | undefined;
};

/** Properties of a job's messages: AMQP 0-9-1's, each there only where the client gave it. */
export type MessageOptions = {
  /** Where they go in place of the configured exchange. */
  readonly exchange?: string;
  readonly contentType?: string;
  /** A JSON object, as `headers.ts` allows it. */
  readonly headers?: Readonly<Record<string, unknown>>;
  /** 0 to 255. */
  readonly priority?: number;
  /** ms; null: none. Where it is absent: until the next occurrence. */
  readonly expiration?: number | null;
  readonly correlationId?: string;
  readonly replyTo?: string;
  readonly type?: string;
  /** W3C trace context of the request that scheduled the job. */
  readonly traceparent?: string;
};

/** A one-off job whose only occurrence has settled: its row is to be deleted if it still has this version. */
export type SettledJob = { readonly id: number; readonly version: number };
