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
    const interval = arena.interval.get(slot);
    const time = flights.time.get(flight);
    routeOf[place] = routePlace;
    ids[place] = arena.id.get(slot);
    times[place] = time;
    missed[place] = countMissed(time, flights.behind.get(flight), interval, terms.now, terms.misfireAfter);
    expirations[place] = Math.min(interval, LONGEST_EXPIRATION);
    arena.copyBody(slot, bodies, bodyOffsets[place]!);
    bodyOffsets[place + 1] = bodyOffsets[place]! + arena.bodyLength(slot);
  }
  const { number, trustedUntil, clockOffset, tag } = terms;
  return { number, trustedUntil, clockOffset, tag, count, routes, ...columns };
}

/** Bytes of all bodies. */
function totalLength(taken: readonly number[], flights: Flights, arena: JobArena): number {
  let length = 0;
  for (const flight of taken) length += arena.bodyLength(flights.slot.get(flight));
  return length;
}
