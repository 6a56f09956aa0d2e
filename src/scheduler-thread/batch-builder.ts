import type { MessageOptions } from '../job/job.ts';
import { countMissed } from '../job/misfire.ts';
import { allocateColumns } from '../protocol/batch-columns.ts';
import type { PublishBatch, Route } from '../protocol/scheduler-publisher.ts';
import type { Flights } from './flights.ts';
import type { JobArena } from './job-arena.ts';

/** AMQP's expiration is a text, which RabbitMQ limits to this many ms. */
const LONGEST_EXPIRATION = 4_294_967_295;

export type BatchTerms = {
  readonly number: number;
  readonly trustedUntil: number;
  readonly clockOffset: number;
  readonly tag: string;
  readonly now: number;
  readonly misfireAfter: number;
};

/** Writes flights as a batch for a publisher. */
export function buildBatch(
  taken: readonly number[],
  flights: Flights,
  arena: JobArena,
  terms: BatchTerms,
): PublishBatch {
  const count = taken.length;
  const routes: Route[] = [];
  const routePlaces = new Map<number, number>();
  const options: MessageOptions[] = [];
  let optionsOf: Uint32Array | null = null;
  const columns = allocateColumns(count, totalLength(taken, flights, arena));
  const { routeOf, ids, times, missed, expirations, bodies, bodyOffsets } = columns;
  for (let place = 0; place < count; place++) {
    const flight = taken[place]!;
    const slot = flights.slot.get(flight);
    const route = flights.route.get(flight);
    let routePlace = routePlaces.get(route);
    if (routePlace === undefined) {
      const { exchange, routingKey } = arena.routes.get(route);
      routePlace = routes.push({ exchange, routingKey }) - 1;
      routePlaces.set(route, routePlace);
    }
    const time = flights.time.get(flight);
    const extras = arena.extras(slot);
    const gap = extras === null ? arena.interval.get(slot) : finite(arena.gapAfter(slot, time));
    routeOf[place] = routePlace;
    ids[place] = arena.id.get(slot);
    times[place] = time;
    missed[place] = countMissed(time, flights.behind.get(flight), gap, terms.now, terms.misfireAfter);
    expirations[place] = expirationOf(extras?.message, gap);
    if (extras?.message !== undefined) {
      optionsOf ??= new Uint32Array(count);
      optionsOf[place] = options.push(extras.message);
    }
    arena.copyBody(slot, bodies, bodyOffsets[place]!);
    bodyOffsets[place + 1] = bodyOffsets[place]! + arena.bodyLength(slot);
  }
  const { number, trustedUntil, clockOffset, tag } = terms;
  return {
    number,
    trustedUntil,
    clockOffset,
    tag,
    count,
    routes,
    options,
    optionsOf,
    spans: null,
    ...columns,
  };
}

/** ms; 0 for none. @param gap to the job's next time, 0 when there is none */
export function expirationOf(message: MessageOptions | undefined, gap: number): number {
  const asked = message?.expiration;
  if (asked === null) return 0;
  return Math.min(asked ?? gap, LONGEST_EXPIRATION);
}

/** 0 in place of Infinity. */
export function finite(gap: number): number {
  return gap === Number.POSITIVE_INFINITY ? 0 : gap;
}

/** Bytes of all bodies. */
function totalLength(taken: readonly number[], flights: Flights, arena: JobArena): number {
  let length = 0;
  for (const flight of taken) length += arena.bodyLength(flights.slot.get(flight));
  return length;
}
