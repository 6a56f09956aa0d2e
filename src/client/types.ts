/** What the API takes and answers, as the OpenAPI document tells it (`/openapi.json`). Times are RFC 3339. */

/** A job's name: compared byte for byte. */
export type JobName = { readonly routingKey: string; readonly job: string };

/** Seconds, or an ISO 8601 duration. */
export type Duration = number | string;

/** When a job runs. */
export type ScheduleParameters = {
  readonly interval?: Duration;
  readonly cron?: string;
  readonly location?: string | null;
  readonly gap?: 'skip' | 'run' | null;
  readonly overlap?: 'first' | 'both' | null;
  readonly first_run?: string;
  readonly last_run?: string | null;
  readonly max_runs?: number | null;
  readonly one_off?: boolean;
  readonly immediate?: boolean;
  readonly exclude?: readonly string[] | null;
  readonly jitter?: Duration | null;
  readonly phase?: 'spread';
  readonly misfire?: 'once' | 'skip' | 'all' | null;
  readonly misfire_age?: Duration | null;
};

/** What its messages have, and what is said of it. */
export type MessageParameters = {
  readonly enabled?: boolean;
  readonly note?: string | null;
  readonly tags?: readonly string[] | null;
  readonly payload?: string | null;
  readonly payload_encoding?: 'base64';
  readonly content_type?: string | null;
  readonly headers?: Readonly<Record<string, unknown>> | null;
  readonly priority?: number | null;
  readonly expiration?: Duration | 'none' | null;
  readonly exchange?: string | null;
  readonly correlation_id?: string | null;
  readonly reply_to?: string | null;
  readonly type?: string | null;
};

export type PutParameters = ScheduleParameters & MessageParameters;

/** null takes away what is stored. */
export type ChangeParameters = PutParameters & { readonly not_before?: string; readonly shift?: number };

/** A job as the API shows it: the first four keys are always there, the others when it uses them. */
export type Job = {
  readonly job: string;
  readonly routing_key: string;
  readonly interval: Duration | null;
  readonly next_run: string | null;
} & Omit<PutParameters, 'interval' | 'first_run' | 'immediate' | 'phase'>;

export type JobFilters = {
  readonly routing_key?: string;
  readonly routing_key_prefix?: string;
  readonly job_prefix?: string;
  readonly tag?: string;
  readonly kind?: 'interval' | 'one_off' | 'calendar' | 'cron';
  readonly enabled?: boolean;
};

export type ListParameters = JobFilters & {
  readonly limit?: number;
  readonly cursor?: string;
  readonly sort?: 'key' | 'next_run';
};

export type JobPage = {
  readonly jobs: readonly Job[];
  /** The cursor of the next page; null after the last one. */
  readonly next: string | null;
  /** An estimate; null where it is not known. */
  readonly total: number | null;
};

export type Runs = { readonly job: string; readonly routing_key: string; readonly runs: readonly string[] };

export type HistoryEntry = {
  readonly event: string;
  readonly scheduled_at: string;
  readonly sent_at: string | null;
  readonly at: string;
  readonly late_ms: number | null;
  readonly count: number;
};

export type History = {
  readonly job: string;
  readonly routing_key: string;
  /** In words. */
  readonly why: string;
  readonly next_run: string | null;
  readonly entries: readonly HistoryEntry[];
};

export type ForecastParameters = { readonly from?: string; readonly to?: string; readonly step?: number };

export type Forecast = {
  readonly from: string;
  readonly to: string;
  /** s */
  readonly step: number;
  /** The part of the jobs that was looked at. */
  readonly sampled: number;
  readonly total: number;
  readonly steps: readonly number[];
  readonly routes: readonly { readonly routing_key: string | null; readonly steps: readonly number[] }[];
};

export type Status = {
  readonly lease: 'starting' | 'standby' | 'owner' | 'stopping';
  readonly ready: boolean;
  readonly owner: string | null;
  readonly epoch: number | null;
  readonly jobs: number;
  readonly due: number;
  readonly in_flight: number;
  readonly held_back: number;
  readonly lateness: {
    readonly minutes: number;
    readonly count: number;
    readonly p50_ms: number | null;
    readonly p99_ms: number | null;
    readonly p999_ms: number | null;
    readonly max_ms: number | null;
  };
  readonly balance: Readonly<Record<string, number>>;
  readonly watermark_age_ms: number | null;
  readonly memory: { readonly used: number; readonly limit: number };
  readonly versions: Readonly<Record<'dalga' | 'node' | 'mysql' | 'rabbitmq', string | null>>;
};
