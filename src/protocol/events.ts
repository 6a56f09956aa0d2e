import type { Span } from '../job/span.ts';

/** What the scheduler thread tells of runs, while somebody listens to `GET /events`. Plain data. */

/** `misfired`: runs were missed; nothing ran for them, or one run stood for them. */
export const RUN_EVENTS = ['published', 'returned', 'misfired'] as const;
export type RunEventType = (typeof RUN_EVENTS)[number];

/** What the listeners together want to hear of: of each type all, or those of the routing keys that they name. */
export type EventInterest = readonly {
  readonly type: RunEventType;
  readonly all: boolean;
  readonly routingKeys: readonly string[];
}[];

export type RunEvent = {
  readonly type: RunEventType;
  /** When this was learned, Unix ms. */
  readonly at: number;
  /** The job's id. */
  readonly id: number;
  /** Its name; null where the scheduler does not have it, since its messages have a payload of their own. */
  readonly job: Uint8Array | null;
  readonly routingKey: string;
  readonly exchange: string;
  /** Null for what the schedule asked for. */
  readonly kind: Span['kind'] | null;
  /** Null where there is no message. */
  readonly messageId: string | null;
  /** Unix ms; of runs that were dropped the first. */
  readonly scheduledAt: number;
  /** When it was handed to a publisher, Unix ms; 0 when it never was. */
  readonly sentAt: number;
  /** Of `returned`: the exchange or queue for unroutable messages has taken it. */
  readonly rerouted: boolean;
  /** How many earlier times it stands for; of `misfired` how many were missed. */
  readonly count: number;
};

/** How many events were not told, since there were too many of them. */
export type LeftOut<Type extends string> = {
  readonly type: Type;
  /** Null: of none that a listener names. */
  readonly routingKey: string | null;
  readonly count: number;
};
