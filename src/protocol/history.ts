/** What became of an occurrence, as a number in a `Uint8Array`. */
export const Event = {
  published: 0,
  returned: 1,
  nacked: 2,
  lost: 3,
  unsent: 4,
  /** Its route, its exchange or RabbitMQ could not take it when it was due. */
  heldBack: 5,
  superseded: 6,
  /** Missed, and dropped by the job's rule. */
  skipped: 7,
  cancelled: 8,
  /** Returned, and the exchange or queue for unroutable messages has taken it. */
  rerouted: 9,
} as const;
export type EventCode = (typeof Event)[keyof typeof Event];

/** What the message was for, as a number beside the event. */
export const Kind = { scheduled: 0, run: 1, backfill: 2 } as const;
export type KindCode = (typeof Kind)[keyof typeof Kind];

export type HistoryEntry = {
  readonly kind: KindCode;
  readonly event: EventCode;
  /** The scheduled time, Unix ms. */
  readonly time: number;
  /** When it was handed to a publisher, Unix ms; 0 when it never was. */
  readonly sentAt: number;
  /** When this was learned, Unix ms. */
  readonly at: number;
  /** How many earlier times it stands for; of `skipped`: how many were. */
  readonly count: number;
};

/** What the scheduler knows of a job's runs. */
export type JobHistory = {
  /** False: the job is not in memory, or not yet. */
  readonly known: boolean;
  /** The table is still being loaded. */
  readonly loading: boolean;
  /** Its next scheduled time, Unix ms; null when there is none. */
  readonly next: number | null;
  /** What is on its way: with a publisher, or waiting. Scheduled times in Unix ms. */
  readonly flights: readonly {
    readonly time: number;
    readonly sent: boolean;
    /** It waits for the rate of catch-ups. */
    readonly paced: boolean;
  }[];
  /** The first of its times that were missed and whose catch-up waits for its rate, Unix ms; null when there is none. */
  readonly missed: number | null;
  /** Catch-ups of all jobs that wait for their rate. */
  readonly catchUpsWaiting: number;
  readonly exchange: string;
  /** Publisher threads that are connected to RabbitMQ. */
  readonly connections: number;
  /** Some of them can publish to the job's exchange. */
  readonly usable: boolean;
  /** The broker refuses the messages of its routing key. */
  readonly refused: boolean;
  /** Failures of its routing key in a row. */
  readonly failures: number;
  /** The latest first. */
  readonly entries: readonly HistoryEntry[];
};
