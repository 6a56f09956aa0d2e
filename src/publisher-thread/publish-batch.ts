import { monotonicNow } from '../clock.ts';
import type { PublishAnswer, PublishBatch } from '../protocol/scheduler-publisher.ts';
import { BatchRun, type Sending, type TakeReturned } from './batch-run.ts';
import type { Broker } from './broker.ts';
import type { LateOutcomes } from './late-outcomes.ts';

/** The answer comes at the latest this long after the last write, ms. */
const ANSWER_AFTER = 100;
/** How long a batch waits for its turn to write, ms. */
const TURN_DEADLINE = 5000;
/** Messages that a batch writes in one turn. */
const TURN_LENGTH = 256;

export type Publishing = {
  readonly broker: Broker;
  readonly threadId: number;
  readonly late: LateOutcomes;
  /** Where messages go that no queue takes; null for nowhere. */
  readonly takeReturned: TakeReturned | null;
};

/** Publishes a batch, and answers with what became of each message so far. Never rejects. */
export async function publishBatch(batch: PublishBatch, publishing: Publishing): Promise<PublishAnswer> {
  const { broker, threadId, late, takeReturned } = publishing;
  const run = new BatchRun(batch, late, takeReturned);
  broker.trust(batch.trustedUntil);
  await Promise.all(
    byExchange(batch).map(([exchange, positions]) => write(run, exchange, positions, broker)),
  );
  await run.settled(ANSWER_AFTER);
  return run.answer(threadId);
}

/** Exchanges do not wait for one another. `positions` is null for all of the batch, which is the usual case. */
function byExchange({ routes, routeOf }: PublishBatch): (readonly [string, Uint32Array | null])[] {
  const exchanges = [...new Set(routes.map((route) => route.exchange))];
  if (exchanges.length === 1) return [[exchanges[0]!, null]];
  return exchanges.map((exchange) => {
    const positions: number[] = [];
    for (const [position, route] of routeOf.entries()) {
      if (routes[route]!.exchange === exchange) positions.push(position);
    }
    return [exchange, Uint32Array.from(positions)];
  });
}

/**
 * Writes messages in turns, until all are written, the batch's time is over, or there is no channel for them.
 *
 * @param positions null for all
 * @returns how many of them were written
 */
export async function write(
  run: Sending,
  exchange: string,
  positions: Uint32Array | null,
  broker: Broker,
): Promise<number> {
  const { ids, trustedUntil } = run.batch;
  const count = positions?.length ?? run.batch.count;
  let next = 0;
  while (next < count) {
    const deadline = Math.min(monotonicNow() + TURN_DEADLINE, trustedUntil);
    const channel = await broker.channel(exchange, deadline);
    if (channel === null || !(await channel.turn(deadline))) return next;
    const end = Math.min(next + TURN_LENGTH, count);
    try {
      for (let room = true; room && next < end; next++) {
        const position = positions === null ? next : positions[next]!;
        const now = monotonicNow();
        if (now > trustedUntil) return next;
        run.write(position, now);
        if (broker.isSuspect(ids[position]!)) broker.quarantine(exchange, { run, position });
        else room = channel.publish(run, position, now);
      }
    } finally {
      channel.flush();
    }
  }
  return count;
}
