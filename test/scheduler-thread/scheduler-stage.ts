import { decodeExceptions } from '../../src/job/exceptions.ts';
import type { JobRow } from '../../src/job/job.ts';
import type { Span } from '../../src/job/span.ts';
import type { OutcomeCode, PublishAnswer, PublishBatch } from '../../src/protocol/scheduler-publisher.ts';
import { Outcome } from '../../src/protocol/scheduler-publisher.ts';
import type { Limits } from '../../src/scheduler-thread/limits.ts';
import { Scheduler } from '../../src/scheduler-thread/scheduler.ts';
import { listed as exceptionsOf } from '../helpers/exceptions.ts';
import { ManualTime, settleMicrotasks } from '../helpers/manual-time.ts';

export const NOW = 1_800_000_000_000;
export const LEASE = 15_000;
const decoder = new TextDecoder();

export type Sent = {
  id: number;
  time: number;
  missed: number;
  expiration: number;
  routingKey: string;
  body: string;
  /** Only of those beside the schedule. */
  span?: number;
  kind?: 'run' | 'backfill';
};
type HeldBatch = {
  batch: PublishBatch;
  answer: (outcomes: OutcomeCode[]) => Promise<void>;
  crash: () => Promise<void>;
};

/** A scheduler with a clock that the test moves and a publisher that the test answers for. */
export function setUp(
  options: {
    answer?: OutcomeCode | 'hold';
    watermark?: number;
    exceptions?: [number, number, number?][] | Uint8Array;
    limits?: Limits;
    misfireBacklog?: number;
    catchupRate?: number;
    spans?: readonly Span[];
    backfillRate?: number;
  } = {},
) {
  const {
    answer = Outcome.confirmed,
    watermark = 0,
    exceptions = [],
    limits,
    misfireBacklog = 1000,
    catchupRate = 0,
    spans,
    backfillRate,
  } = options;
  const time = new ManualTime(NOW);
  const sent: Sent[] = [];
  const held: HeldBatch[] = [];
  const behaviour = { answer };
  const returned: unknown[] = [];
  const refusals: [string, boolean][] = [];
  const publish = (batch: PublishBatch): Promise<PublishAnswer> => {
    for (let place = 0; place < batch.count; place++) sent.push(readMessage(batch, place));
    const reply = (outcomes: OutcomeCode[]): PublishAnswer => ({
      threadId: 1,
      outcomes: Uint8Array.from(outcomes),
      writtenAt: new Float64Array(batch.count),
    });
    const { answer } = behaviour;
    if (answer !== 'hold') return Promise.resolve(reply(new Array(batch.count).fill(answer)));
    return new Promise((resolve, reject) => {
      held.push({
        batch,
        answer: (outcomes) => {
          resolve(reply(outcomes));
          return settleMicrotasks();
        },
        crash: () => {
          reject(new Error('the thread has ended'));
          return settleMicrotasks();
        },
      });
    });
  };
  const scheduler = new Scheduler({
    clock: time,
    timers: time,
    random: () => 0.5,
    publish,
    batchesAtOnce: 8,
    exchange: '',
    tag: 'k3x9',
    misfireAfter: 60_000,
    misfireBacklog,
    catchupRate,
    watermark,
    exceptions: exceptions instanceof Uint8Array ? exceptions : exceptionsOf(exceptions),
    limits,
    spans,
    backfillRate,
    trustedUntil: Number.POSITIVE_INFINITY,
    lease: LEASE,
    onReturned: ({ routingKey, time, job }) =>
      returned.push({ routingKey, time, job: job && [job.id, decoder.decode(job.name())] }),
    onRefused: ({ routingKey, refused }) => refusals.push([routingKey, refused]),
  });
  const connect = (connected = true) =>
    scheduler.hear({ type: 'connection.changed', threadId: 1, connected, reason: null, blocked: false });
  connect();
  const listed = () => {
    const { ids, times } = decodeExceptions(scheduler.progress().exceptions);
    return [...ids].map((id, index) => [id, times[index]]);
  };
  return { time, sent, held, behaviour, scheduler, connect, listed, returned, refusals };
}

function readMessage(batch: PublishBatch, place: number): Sent {
  return {
    id: batch.ids[place]!,
    time: batch.times[place]!,
    missed: batch.missed[place]!,
    expiration: batch.expirations[place]!,
    routingKey: batch.routes[batch.routeOf[place]!]!.routingKey,
    body: decoder.decode(batch.bodies.subarray(batch.bodyOffsets[place]!, batch.bodyOffsets[place + 1]!)),
    ...(batch.spans && {
      span: batch.spans.ids[place]!,
      kind: batch.spans.backfills[place] === 1 ? ('backfill' as const) : ('run' as const),
    }),
  };
}

export const upsert = (row: JobRow) => ({ op: 'upsert' as const, row });
