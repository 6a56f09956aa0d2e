import type { MessageOptions } from '../job/job.ts';
import { allocateColumns } from '../protocol/batch-columns.ts';
import type { PublishBatch, Route } from '../protocol/scheduler-publisher.ts';
import { type BatchTerms, expirationOf, finite } from './batch-builder.ts';
import type { JobArena } from './job-arena.ts';
import type { OpenSpan } from './open-spans.ts';

/** A message of a run by hand or a backfill, on its way. */
export type SpanMessage = {
  readonly open: OpenSpan;
  /** Unix ms. */
  readonly time: number;
  /** The job's route as it was sent. */
  readonly route: number;
  /** Unix ms. */
  readonly sentAt: number;
};

/** Writes messages of spans, whose jobs are all there, as a batch for a publisher. */
export function buildSpanBatch(
  messages: readonly SpanMessage[],
  arena: JobArena,
  { number, trustedUntil, clockOffset, tag }: BatchTerms,
): PublishBatch {
  const count = messages.length;
  const slots = messages.map(({ open }) => arena.find(open.span.jobId));
  const columns = allocateColumns(
    count,
    slots.reduce((length, slot) => length + arena.bodyLength(slot), 0),
  );
  const routes: Route[] = [];
  const places = new Map<number, number>();
  const options: MessageOptions[] = [];
  const optionsOf = new Uint32Array(count);
  const spans = { ids: new Float64Array(count), backfills: new Uint8Array(count) };
  for (const [place, { open, time, route }] of messages.entries()) {
    const { id, jobId, kind } = open.span;
    const slot = slots[place]!;
    const message = arena.extras(slot)?.message;
    if (!places.has(route)) {
      const { exchange, routingKey } = arena.routes.get(route);
      places.set(route, routes.push({ exchange, routingKey }) - 1);
    }
    columns.routeOf[place] = places.get(route)!;
    columns.ids[place] = jobId;
    columns.times[place] = time;
    columns.expirations[place] = expirationOf(message, gapOf(arena, slot, kind, time));
    spans.ids[place] = id;
    spans.backfills[place] = Number(kind === 'backfill');
    if (message !== undefined) optionsOf[place] = options.push(message);
    const offset = columns.bodyOffsets[place]!;
    arena.copyBody(slot, columns.bodies, offset);
    columns.bodyOffsets[place + 1] = offset + arena.bodyLength(slot);
  }
  return { number, trustedUntil, clockOffset, tag, count, routes, options, optionsOf, spans, ...columns };
}

/** ms until the message is of no use any more; 0 where nothing says so. */
function gapOf(arena: JobArena, slot: number, kind: 'run' | 'backfill', time: number): number {
  if (kind === 'backfill' || arena.interval.get(slot) > 0) return finite(arena.gapAfter(slot, time));
  // A run by hand has the time that the next scheduled one will have: it may be that one's moment almost.
  const next = arena.firstAtOrAfter(slot, time + 1);
  return next === Number.POSITIVE_INFINITY ? 0 : finite(arena.gapAfter(slot, next));
}
