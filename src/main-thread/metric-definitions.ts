import type { EventCounts } from './events.ts';
import type { Totals } from './scheduler-totals.ts';

export const LEASE_STATES = ['starting', 'standby', 'owner'] as const;

/** What the metrics are made of, all of one moment. */
export type MetricsData = {
  readonly lease: (typeof LEASE_STATES)[number] | 'stopping';
  /** Null while it does not own the table. */
  readonly epoch: number | null;
  readonly ready: boolean;
  /** ms; null while it does not own the table. */
  readonly watermarkAge: number | null;
  /** Bytes. */
  readonly memoryLimit: number;
  readonly mysqlConnected: boolean;
  readonly mysqlReconnects: number;
  readonly writeBatches: number;
  readonly writeRequests: number;
  readonly scheduler: Totals;
  readonly events: EventCounts;
};

export type Sample = { readonly labels?: Readonly<Record<string, string>>; readonly value: number };

export type MetricDefinition = {
  /** Without the prefix. */
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  /** The text of its HELP line, and of the README's table. */
  readonly help: string;
  readonly labels?: readonly string[];
  /** A number, a sample for each set of labels, or null when there is nothing to say. */
  readonly read: (data: MetricsData) => number | readonly Sample[] | null;
};

/** The metrics that are one number each, in the order in which they are shown. */
export const DEFINITIONS: readonly MetricDefinition[] = [
  gauge('ready', '1 when this instance owns the table, has loaded it, and reaches both servers', (data) =>
    Number(data.ready),
  ),
  {
    ...gauge('lease_state', '1 for the state that this instance is in: starting, standby or owner', (data) =>
      LEASE_STATES.map((state) => ({ labels: { state }, value: Number(state === data.lease) })),
    ),
    labels: ['state'],
  },
  gauge('epoch', 'How often the table was taken over so far, on the owner', (data) => data.epoch),
  gauge('watermark_age_seconds', 'How far the durable progress is behind now, on the owner', (data) =>
    data.watermarkAge === null ? null : data.watermarkAge / 1000,
  ),
  gauge('jobs', 'Jobs in memory', ({ scheduler }) => scheduler.jobs),
  gauge(
    'jobs_due',
    'Jobs whose time has come and that were not taken yet',
    ({ scheduler }) => scheduler.dueNow,
  ),
  gauge('jobs_memory_bytes', 'Memory that the jobs take', ({ scheduler }) => scheduler.jobBytes),
  gauge('jobs_memory_limit_bytes', 'Memory that the jobs may take', (data) => data.memoryLimit),
  counter('occurrences_due', 'Scheduled times that came', ({ scheduler }) => scheduler.due),
  counter(
    'occurrences_confirmed',
    'Occurrences whose message RabbitMQ has confirmed',
    ({ scheduler }) => scheduler.confirmed,
  ),
  counter(
    'occurrences_returned',
    'Occurrences whose message RabbitMQ has given back, since no queue takes it',
    ({ scheduler }) => scheduler.returned,
  ),
  counter(
    'occurrences_superseded',
    'Occurrences that a later one of the same job stands for',
    ({ scheduler }) => scheduler.superseded,
  ),
  counter(
    'occurrences_skipped',
    "Occurrences that were missed and dropped, by their job's misfire rule",
    ({ scheduler }) => scheduler.skipped,
  ),
  counter(
    'occurrences_cancelled',
    'Occurrences that a change or a removal of their job has cancelled',
    ({ scheduler }) => scheduler.cancelled,
  ),
  counter(
    'occurrences_handed_over',
    'Occurrences that were unsettled when this instance lost the table: the next owner runs them',
    ({ scheduler }) => scheduler.handedOver,
  ),
  gauge(
    'occurrences_in_flight',
    'Occurrences that a publisher has now, and whose outcome is to come',
    ({ scheduler }) => scheduler.inFlight,
  ),
  gauge(
    'occurrences_held_back',
    'Occurrences that wait now, since RabbitMQ is away, their route cannot be published to, or the last try failed',
    ({ scheduler }) => scheduler.heldBack,
  ),
  gauge(
    'catch_ups_waiting',
    'Jobs whose catch-up runs wait for DALGA_CATCHUP_RATE now; those that a checkpoint lists are held back, too',
    ({ scheduler }) => scheduler.catchUpsWaiting,
  ),
  counter(
    'occurrences_recovered',
    'Occurrences that the last checkpoint before a start listed as unsettled, and that run again: some may be repeated',
    ({ scheduler }) => scheduler.recovered,
  ),
  counter(
    'messages_dispatched',
    'Messages that were handed to a publisher, each try of an occurrence',
    ({ scheduler }) => scheduler.dispatched,
  ),
  counter('messages_nacked', 'Messages that RabbitMQ has refused; they are tried again', ({ scheduler }) => {
    return scheduler.nacked;
  }),
  counter(
    'messages_lost',
    'Messages whose confirm was lost with a connection or a thread; they are tried again',
    ({ scheduler }) => scheduler.lost,
  ),
  counter(
    'messages_rerouted',
    'Messages that no queue takes, and that went to DALGA_UNROUTABLE_EXCHANGE or DALGA_UNROUTABLE_QUEUE',
    ({ scheduler }) => scheduler.rerouted,
  ),
  {
    ...gauge(
      'connections',
      'Connections to a server now: publishers to RabbitMQ, the writer to MySQL',
      (data) => byServer(Number(data.mysqlConnected), data.scheduler.connections),
    ),
    labels: ['server'],
  },
  {
    ...counter('reconnects', 'Connections to a server that were made in the place of lost ones', (data) =>
      byServer(data.mysqlReconnects, data.scheduler.reconnects),
    ),
    labels: ['server'],
  },
  {
    ...gauge('backfills_open', 'Runs by hand and backfills that are open now', ({ scheduler: { spans } }) =>
      byKind(spans.openRuns, spans.openBackfills),
    ),
    labels: ['kind'],
  },
  {
    ...counter(
      'backfill_messages',
      'Messages of runs by hand and backfills that RabbitMQ has confirmed, those that it has given back among them; they are among no occurrences',
      ({ scheduler: { spans } }) => byKind(spans.runs, spans.backfilled),
    ),
    labels: ['kind'],
  },
  counter(
    'backfill_messages_returned',
    'Messages of runs by hand and backfills that RabbitMQ has given back, since no queue takes them',
    ({ scheduler }) => scheduler.spans.returned,
  ),
  counter('write_requests', 'Requests that were carried out in a transaction', (data) => data.writeRequests),
  counter('write_batches', 'Transactions that carried out requests', (data) => data.writeBatches),
  gauge('event_listeners', 'Listeners to /events now', ({ events }) => events.listeners),
  counter(
    'events_dropped',
    'Events that were dropped for listeners that did not take them in time',
    ({ events }) => events.dropped,
  ),
];

function gauge(name: string, help: string, read: MetricDefinition['read']): MetricDefinition {
  return { name, type: 'gauge', help, read };
}

function counter(name: string, help: string, read: MetricDefinition['read']): MetricDefinition {
  return { name: `${name}_total`, type: 'counter', help, read };
}

function byKind(run: number, backfill: number): readonly Sample[] {
  return [
    { labels: { kind: 'run' }, value: run },
    { labels: { kind: 'backfill' }, value: backfill },
  ];
}

function byServer(mysql: number, rabbitmq: number): readonly Sample[] {
  return [
    { labels: { server: 'mysql' }, value: mysql },
    { labels: { server: 'rabbitmq' }, value: rabbitmq },
  ];
}
