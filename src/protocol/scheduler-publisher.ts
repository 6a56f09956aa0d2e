import type { RabbitmqConfig } from '../config.ts';
import type { MessageOptions } from '../job/job.ts';

/**
 * All that passes between the scheduler thread and its publisher threads. A batch is columnar, so that handing
 * one over costs a few typed arrays and not an object for each message; they share one buffer, since each that is
 * transferred has its price. Occurrences are named by their position in the batch.
 */

/** What each publisher thread is started with, as its workerData. */
export type PublisherInit = {
  readonly rabbitmq: RabbitmqConfig;
};

/** A destination: messages of one route wait for one another's confirms, those of others do not. */
export type Route = { readonly exchange: string; readonly routingKey: string };

/** Of each message of a batch of runs by hand and backfills. */
export type BatchSpans = {
  /** The span: the fourth part of the message_id; 0 for none. */
  readonly ids: Float64Array;
  /** 1: x-dalga-kind is `backfill`; 0: it is `run`. */
  readonly backfills: Uint8Array;
};

export type PublishBatch = {
  /** Grows with every batch of this scheduler; names the batch in later reports. */
  readonly number: number;
  /** Monotonic ms: what has not been written by then is refused, since the lease may be another's. */
  readonly trustedUntil: number;
  /** Unix time = monotonic time + this, ms. */
  readonly clockOffset: number;
  /** The first part of every message_id. */
  readonly tag: string;
  readonly count: number;
  /** The routes that occur in the batch. */
  readonly routes: readonly Route[];
  /** For each message its position in `routes`. */
  readonly routeOf: Uint32Array;
  /** The properties of those messages that have some of their own. */
  readonly options: readonly MessageOptions[];
  /** For each message 1 + its position there, 0 for none; null when no message has any. */
  readonly optionsOf: Uint32Array | null;
  /** Job ids: the second part of the message_id. */
  readonly ids: Float64Array;
  /** Null for scheduled occurrences, which come in batches of their own. */
  readonly spans: BatchSpans | null;
  /** Scheduled times, Unix ms: the third part of the message_id, and x-dalga-scheduled-at. */
  readonly times: Float64Array;
  /** x-dalga-missed; 0 for none. */
  readonly missed: Float64Array;
  /** The expiration, ms, at most 4294967295; 0 for none. */
  readonly expirations: Float64Array;
  /** The bodies, one after another. */
  readonly bodies: Uint8Array;
  /** count + 1 offsets into `bodies`. */
  readonly bodyOffsets: Uint32Array;
};

/** What became of one message, as a number in an `Uint8Array`. */
export const Outcome = {
  /** Written, neither confirmed nor refused yet: a later report tells. */
  pending: 0,
  confirmed: 1,
  /** Confirmed, but no queue was bound for it: the broker gave it back. */
  returned: 2,
  /** The broker refused it (basic.nack). */
  nacked: 3,
  /** Written, and the connection or channel went before its confirm: it may or may not have arrived. */
  lost: 4,
  /** Never written: there was no connection or no channel for its exchange, or the batch came past its time. */
  unsent: 5,
  /** Confirmed and given back, and the exchange or queue for unroutable messages has taken it. */
  rerouted: 6,
} as const;
export type OutcomeCode = (typeof Outcome)[keyof typeof Outcome];

/** The answer to a batch: at the latest 100 ms after its last write. */
export type PublishAnswer = {
  /** The thread that has the batch: what it left pending is lost when that thread ends. */
  readonly threadId: number;
  /** One OutcomeCode for each message. */
  readonly outcomes: Uint8Array;
  /** For each message the time of its write to the socket, Unix ms; 0 where it was never written. */
  readonly writtenAt: Float64Array;
};

/** What a publisher thread says unasked (piscina's `message` event). */
export type PublisherReport =
  /** Outcomes of messages that had been answered as pending. The four arrays have one entry for each message. */
  | {
      readonly type: 'outcomes.settled';
      readonly threadId: number;
      readonly batches: Float64Array;
      readonly positions: Uint32Array;
      readonly outcomes: Uint8Array;
    }
  /** This thread's connection. */
  | {
      readonly type: 'connection.changed';
      readonly threadId: number;
      /** It can be published over. */
      readonly connected: boolean;
      /** For a person; null when connected. */
      readonly reason: string | null;
      /** It stands, but the broker reads nothing from it now. */
      readonly blocked: boolean;
    }
  /** An exchange cannot be published to (it does not exist, or access was refused), or can again. */
  | {
      readonly type: 'exchange.changed';
      readonly threadId: number;
      readonly exchange: string;
      readonly usable: boolean;
      readonly reason: string | null;
    };
