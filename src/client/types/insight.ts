import type { JobName, PutParameters, Time } from './jobs.ts';

/** What a person asks of jobs and of the service. Times of answers are RFC 3339 in UTC. */

export type RunsParameters = { readonly count?: number };

export type Runs = { readonly job: string; readonly routing_key: string; readonly runs: readonly string[] };

export type PreviewParameters = PutParameters & { readonly count?: number; readonly from?: Time };

export type PreviewedRuns = { readonly runs: readonly string[] };

export type HistoryEntry = {
  readonly event:
    | 'published'
    | 'returned'
    | 'rerouted'
    | 'nacked'
    | 'lost'
    | 'unsent'
    | 'held_back'
    | 'superseded'
    | 'skipped'
    | 'cancelled';
  /** Beside the schedule: by hand, or of a backfill. */
  readonly kind: 'scheduled' | 'run' | 'backfill';
  readonly scheduled_at: string;
  /** When it was handed to a publisher; null when it never was. */
  readonly sent_at: string | null;
  /** When this was learned. */
  readonly at: string;
  readonly late_ms: number | null;
  /** How many earlier runs it stands for; of skipped: how many were. */
  readonly count: number;
};

export type History = {
  readonly job: string;
  readonly routing_key: string;
  /** In words. */
  readonly why: string;
  readonly next_run: string | null;
  /** The latest first. */
  readonly entries: readonly HistoryEntry[];
};

export type ForecastParameters = {
  readonly from?: Time;
  readonly to?: Time;
  /** Seconds. */
  readonly step?: number;
};

/** Jobs that are not stored, for a forecast of what they would add. */
export type ForecastSchedule = PutParameters & {
  readonly routing_key: JobName['routingKey'];
  /** How many jobs; 1 by default. */
  readonly count?: number;
};

export type ForecastWithParameters = ForecastParameters & { readonly schedules: readonly ForecastSchedule[] };

export type Forecast = {
  readonly from: string;
  readonly to: string;
  /** Seconds. */
  readonly step: number;
  /** The part of the jobs that was looked at; 1: all of them. */
  readonly sampled: number;
  readonly total: number;
  readonly steps: readonly number[];
  /** The busiest routing keys; the others together under null. */
  readonly routes: readonly { readonly routing_key: string | null; readonly steps: readonly number[] }[];
};

/** The forecast of what is stored, and beside it what jobs would add that are not. */
export type ForecastWith = Forecast & {
  readonly added: Pick<Forecast, 'sampled' | 'total' | 'steps' | 'routes'>;
};

export type Status = {
  readonly lease: 'starting' | 'standby' | 'owner' | 'stopping';
  readonly ready: boolean;
  /** Host and address of the instance that owns the table; null when it is not known. */
  readonly owner: string | null;
  readonly epoch: number | null;
  readonly jobs: number;
  readonly due: number;
  readonly in_flight: number;
  readonly held_back: number;
  /** Jobs whose catch-up runs wait for DALGA_CATCHUP_RATE. */
  readonly catch_ups_waiting: number;
  /** Of the messages of the last minutes. */
  readonly lateness: {
    readonly minutes: number;
    readonly count: number;
    readonly p50_ms: number | null;
    readonly p99_ms: number | null;
    readonly p999_ms: number | null;
    readonly max_ms: number | null;
  };
  /** `due` is the sum of the others. */
  readonly balance: {
    readonly due: number;
    readonly confirmed: number;
    readonly returned: number;
    readonly superseded: number;
    readonly skipped: number;
    readonly cancelled: number;
    readonly handed_over: number;
    readonly in_flight: number;
    readonly held_back: number;
  };
  readonly watermark_age_ms: number | null;
  /** Bytes. */
  readonly memory: { readonly used: number; readonly limit: number };
  readonly versions: {
    readonly dalga: string;
    readonly node: string;
    /** Null when it cannot be asked now. */
    readonly mysql: string | null;
    readonly rabbitmq: string | null;
  };
};
