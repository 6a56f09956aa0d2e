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
  /** How far it has come. */
  readonly position: string | null;
  /** Messages so far. */
  readonly published: number;
  readonly created: string;
};

export type Backfills = { readonly backfills: readonly Backfill[] };

export type EventFilters = {
  /** One kind of event. */
  readonly type?: string;
  readonly routing_key?: string;
};

/** What has happened to a job or to one of its runs. */
export type DalgaEvent = {
  readonly type: string;
  /** As the stream numbers it, where it does. */
  readonly id: string | null;
  readonly data: Readonly<Record<string, unknown>>;
};
