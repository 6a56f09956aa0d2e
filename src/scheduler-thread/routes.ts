/** Flights that wait, in the order in which they came: a linked list. */
export type WaitingList = {
  /** -1 when it is empty. */
  waitingFirst: number;
  waitingLast: number;
  /** Flights in it, and how many of them are void. */
  waiting: number;
  voids: number;
};

/**
 * The routes that jobs publish to, each stored once, with what is known of how well it goes. A route can be
 *
 *   open     -> limited   nothing was confirmed for 1 s while something is unconfirmed: at most 16 at a time
 *   limited  -> open      one is confirmed
 *   any      -> backing off   a message was refused or lost: nothing until `retryAt`, then 16 at a time
 *   backing off -> open   one is confirmed
 *   any      -> paused    a message could not be sent: nothing until `retryAt`, then as before
 *
 * so that a route which goes badly never holds up the others. What cannot be sent waits in the route's list.
 */
export type RouteState = WaitingList & {
  readonly exchange: string;
  readonly routingKey: string;
  /** Jobs and flights that publish to it. */
  users: number;
  /** Messages written, or on their way, and not yet settled. */
  unconfirmed: number;
  /** Monotonic ms of the last confirm, or of the first message after none was unconfirmed. */
  progressAt: number;
  /** Failures in a row; 0 while it goes well. */
  failures: number;
  /** Monotonic ms before which nothing is sent. */
  retryAt: number;
  /** The broker refuses its messages; since when it takes them nevertheless (monotonic ms), 0 when it does not. */
  refused: boolean;
  takenSince: number;
};

/** ms without a confirm after which a route is limited. */
export const STALL_AFTER = 1000;
/** What a route that does not go well may have unconfirmed. */
const STALLED_WINDOW = 16;
/** What any route may have unconfirmed: one that has just died must not take the places of all others. */
const ROUTE_WINDOW = 8000;
/** What a route takes beside its name. */
const ROUTE_BYTES = 300;
/** ms */
const UNSENT_BACKOFF = 50;
/** A route that is refused now and then is refused all the time, until all was taken for so long, ms. */
const TAKEN_FOR = 2000;
const FIRST_BACKOFF = 100;
const LAST_BACKOFF = 10_000;

export class Routes {
  readonly #states: (RouteState | undefined)[] = [];
  readonly #indexes = new Map<string, number>();
  readonly #free: number[] = [];
  #bytes = 0;

  /** How many there are. */
  get size(): number {
    return this.#indexes.size;
  }

  get(index: number): RouteState {
    return this.#states[index]!;
  }

  /** Whether all go well, and none has room for a batch; it takes as long as there are routes. @param monotonic ms */
  areFull(monotonic: number, batch: number): boolean {
    return this.#states.every((route) => route === undefined || isFull(route, monotonic, batch));
  }

  /** The route, where it is still one. */
  find(index: number): RouteState | undefined {
    return this.#states[index];
  }

  /** Bytes on the heap, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The index of the route, for one more job that publishes to it. */
  acquire(exchange: string, routingKey: string): number {
    const key = `${exchange.length}:${exchange}${routingKey}`;
    let index = this.#indexes.get(key);
    if (index === undefined) {
      index = this.#free.pop() ?? this.#states.length;
      this.#indexes.set(key, index);
      this.#states[index] = newRoute(exchange, routingKey);
      this.#bytes += bytesOf(routingKey);
    }
    this.#states[index]!.users++;
    return index;
  }

  /** Likewise, of a route that is known already: false when it is another one by now. */
  acquireAgain(index: number, exchange: string, routingKey: string): boolean {
    const route = this.#states[index];
    if (route?.routingKey !== routingKey || route.exchange !== exchange) return false;
    route.users++;
    return true;
  }

  /** One job, or one flight, less. */
  release(index: number): void {
    const route = this.#states[index]!;
    if (--route.users > 0) return;
    this.#indexes.delete(`${route.exchange.length}:${route.exchange}${route.routingKey}`);
    this.#states[index] = undefined;
    this.#bytes -= bytesOf(route.routingKey);
    this.#free.push(index);
  }
}

/** A state of its own, its entry in the index, and the names. */
function bytesOf(routingKey: string): number {
  return ROUTE_BYTES + 2 * routingKey.length;
}

function newRoute(exchange: string, routingKey: string): RouteState {
  return {
    exchange,
    routingKey,
    users: 0,
    unconfirmed: 0,
    progressAt: 0,
    failures: 0,
    retryAt: 0,
    refused: false,
    takenSince: 0,
    waitingFirst: -1,
    waitingLast: -1,
    waiting: 0,
    voids: 0,
  };
}

/** Whether one more message may be sent now. */
export function mayTake(route: RouteState, monotonic: number): boolean {
  return monotonic >= route.retryAt && route.unconfirmed < windowOf(route, monotonic);
}

/** Whether the route goes well, and has no room for a batch until some are confirmed: soon, or it is limited. */
function isFull(route: RouteState, monotonic: number, batch: number): boolean {
  return route.unconfirmed + batch > ROUTE_WINDOW && windowOf(route, monotonic) === ROUTE_WINDOW;
}

function windowOf(route: RouteState, monotonic: number): number {
  const stalled = route.unconfirmed > 0 && monotonic - route.progressAt > STALL_AFTER;
  return stalled || route.failures > 0 ? STALLED_WINDOW : ROUTE_WINDOW;
}

export function noteSent(route: RouteState, monotonic: number): void {
  if (route.unconfirmed++ === 0) route.progressAt = monotonic;
}

export function noteConfirmed(route: RouteState, monotonic: number): void {
  route.progressAt = monotonic;
  route.failures = 0;
  route.retryAt = 0;
}

/** A publisher could not write: its connection, or the exchange, was away. */
export function noteUnsent(route: RouteState, monotonic: number): void {
  route.retryAt = Math.max(route.retryAt, monotonic + UNSENT_BACKOFF);
}

/** The broker refused, or a message was lost: wait longer each time, with jitter (`random`: 0 to 1). */
export function noteFailed(route: RouteState, monotonic: number, random: number): void {
  if (monotonic < route.retryAt) return;
  const backoff = Math.min(FIRST_BACKOFF * 2 ** route.failures++, LAST_BACKOFF);
  route.retryAt = monotonic + backoff * (0.75 + random / 2);
}

/** @returns whether the outcome of a message, taken or refused, changes how it stands with the route */
export function noteRefusal(route: RouteState, taken: boolean, monotonic: number): boolean {
  const { refused } = route;
  if (!taken) {
    route.refused = true;
    route.takenSince = 0;
  } else if (refused) {
    route.takenSince ||= monotonic;
    route.refused = monotonic < route.takenSince + TAKEN_FOR;
  }
  return route.refused !== refused;
}
