/** Of jobs: what the API takes and answers, as the OpenAPI document tells it (`/openapi.json`). */

/** A job's name: compared byte for byte. */
export type JobName = { readonly routingKey: string; readonly job: string };

/** Seconds, or an ISO 8601 duration. */
export type Duration = number | string;

/** RFC 3339 with a zone, or a Date. */
export type Time = string | Date;

/** When a job runs. null takes away what is stored. */
export type ScheduleParameters = {
  readonly interval?: Duration;
  readonly cron?: string;
  readonly location?: string | null;
  readonly gap?: 'skip' | 'run' | null;
  readonly overlap?: 'first' | 'both' | null;
  readonly first_run?: Time;
  readonly last_run?: Time | null;
  readonly max_runs?: number | null;
  readonly one_off?: boolean;
  readonly immediate?: boolean;
  readonly exclude?: readonly string[] | null;
  readonly jitter?: Duration | null;
  readonly phase?: 'spread';
  readonly misfire?: 'once' | 'skip' | 'all' | null;
  readonly misfire_age?: Duration | null;
};

/** What its messages have, and what is said of it. null takes away what is stored. */
export type MessageParameters = {
  readonly enabled?: boolean;
  readonly note?: string | null;
  readonly tags?: readonly string[] | null;
  /** Bytes are sent as base64, and `payload_encoding` is set. */
  readonly payload?: string | Uint8Array | null;
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

export type ChangeParameters = PutParameters & { readonly not_before?: Time | null; readonly shift?: number };

/** A job as the API shows it: the first four keys are always there, the others when it uses them. */
export type Job = {
  readonly job: string;
  readonly routing_key: string;
  readonly interval: Duration | null;
  /** RFC 3339, UTC, whole seconds; null when it is paused. */
  readonly next_run: string | null;
  readonly one_off?: true;
  readonly cron?: string;
  readonly location?: string;
  readonly gap?: 'skip' | 'run';
  readonly overlap?: 'first' | 'both';
  /** Of cron and calendar intervals: until then it is kept back. */
  readonly not_before?: string;
  readonly last_run?: string;
  readonly max_runs?: number;
  readonly exclude?: readonly string[];
  /** Seconds. */
  readonly jitter?: number;
  readonly misfire?: 'once' | 'skip' | 'all';
  /** Seconds. */
  readonly misfire_age?: number;
  readonly enabled?: false;
  readonly note?: string;
  readonly tags?: readonly string[];
  readonly payload?: string;
  readonly payload_encoding?: 'base64';
  readonly content_type?: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly priority?: number;
  /** Seconds. */
  readonly expiration?: number | 'none';
  readonly exchange?: string;
  readonly correlation_id?: string;
  readonly reply_to?: string;
  readonly type?: string;
};

/** Which jobs are meant: those that are all of it. */
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

export type ManyParameters = JobFilters & {
  /** Nothing is written: the answer only counts. */
  readonly dry_run?: boolean;
};

/** What became of a change of many jobs. */
type Many = {
  readonly matched: number;
  /** Jobs that cannot be changed so. */
  readonly refused: number;
  /** The first 10 of those. */
  readonly errors: readonly JobRefusal[];
};

export type JobRefusal = {
  readonly routing_key: string;
  readonly job: string;
  readonly code: string;
  readonly parameter?: string;
  readonly detail: string;
};

export type ManyChanged = Many & { readonly changed: number };
export type ManyDeleted = Many & { readonly deleted: number };

/** A job as a line of an import or an export. */
export type JobLine = PutParameters & {
  readonly routing_key: string;
  readonly job: string;
  /** False in an export: `first_run` is a phase that Dalga chose, and a PUT without it keeps it. */
  readonly anchored?: boolean;
  /** Until then a consumer or a person keeps it back. */
  readonly not_before?: Time | null;
};

/** How far an import has come. */
export type ImportProgress = {
  readonly lines: number;
  /** Jobs that are stored as asked, created ones among them. */
  readonly stored: number;
  readonly created: number;
  readonly refused: number;
};

/** A line that was refused; only the first 1,000 are told. */
export type ImportRefusal = {
  /** From 1. */
  readonly line: number;
  readonly code: string;
  readonly parameter?: string;
  readonly detail: string;
};

export type ImportTotals = ImportProgress & {
  /** False when the load ended early, for the reason in `code` and `detail`; what is counted is stored all the same. */
  readonly complete: boolean;
  readonly code?: string;
  readonly detail?: string;
};

/** A line of the answer to an import; the totals are the last one. */
export type ImportLine = ImportProgress | ImportRefusal | ImportTotals;
