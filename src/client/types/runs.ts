import type { Time } from './jobs.ts';

/** Runs beside the schedule, and the stream of events. */

export type BackfillParameters = { readonly from: Time; readonly to: Time };

/** A run by hand, or the runs of a past span, as they are published. */
export type Backfill = {
  readonly id: string;
  readonly kind: 'run' | 'backfill';
  readonly job: string;
  readonly routing_key: string;
  /** The span; null of a run by hand. */
  readonly from: string | null;
  readonly to: string | null;
  /** The next time to be published; of a run by hand the time that it carries. */
  readonly position: string;
  /** Messages so far. */
  readonly published: number;
  readonly created: string;
};

export type Backfills = { readonly backfills: readonly Backfill[] };

export type EventFilters = {
  /** The types to be told of, with commas between; all by default. */
  readonly type?: string;
  readonly routing_key?: string;
};

/** What has happened to a job or to one of its runs; what is there depends on the type. */
export type DalgaEvent = {
  readonly type:
    | 'scheduled'
    | 'changed'
    | 'cancelled'
    | 'published'
    | 'returned'
    | 'misfired'
    | 'sampled'
    | 'dropped';
  /** When this was learned. */
  readonly at: string;
  /** Null where its name is not known any more. */
  readonly job?: string | null;
  readonly routing_key?: string;
  /** Of the job as it is stored. */
  readonly version?: number;
  readonly enabled?: boolean;
  readonly next_run?: string | null;
  /** Of a message beside the schedule: a run by hand, or a backfill. */
  readonly kind?: 'run' | 'backfill';
  readonly message_id?: string;
  readonly exchange?: string;
  /** Of returned: the exchange or queue for unroutable messages has taken it. */
  readonly rerouted?: boolean;
  readonly scheduled_at?: string;
  readonly sent_at?: string;
  readonly late_ms?: number;
  /** How many earlier runs it stands for; of misfired: how many were missed. */
  readonly count?: number;
  /** Of misfired: nothing ran for them, or this one run. */
  readonly outcome?: 'skipped' | 'caught_up';
  /** Of sampled: how many were left out, by type. */
  readonly left_out?: Readonly<Record<string, number>>;
  /** Of dropped, since they were not taken in time: how many, by type. */
  readonly dropped?: Readonly<Record<string, number>>;
};
