import type { Occurrences } from './occurrences.ts';
import { mayTake } from './routes.ts';

/**
 * What waited may fill so much of a batch while something else is due: a route that recovers must not starve others.
 */
const WAITING_SHARE = 0.5;
/** Turns taken in one go, whether or not their messages can be sent. */
const TURNS_IN_ONE_GO = 5000;
/** With more waiting routes than this they are not looked through at each turn, but once in so many ms a thousand. */
const MANY_ROUTES = 100;
const LOOK_PAUSE = 5;

export type DueBatchOptions = {
  readonly occurrences: Occurrences;
  /** Messages in one batch. */
  readonly limit: number;
  /** Whether the publishers can reach this exchange. */
  readonly isUsable: (exchange: string) => boolean;
};

/** Puts batches together: what waited for its route, and what is due in the queue. */
export class DueBatch {
  readonly #options: DueBatchOptions;
  /** Monotonic ms when the waiting routes were last looked through. */
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(options: DueBatchOptions) {
    this.#options = options;
  }

  /** Flights for one batch, sent from here on; none when nothing can go now. Times in ms. */
  take(now: number, monotonic: number): number[] {
    const { occurrences, limit } = this.#options;
    const { queue, flights, waitingRoutes } = occurrences;
    const taken: number[] = [];
    const mayLook =
      waitingRoutes.size <= MANY_ROUTES || monotonic >= this.#lookedAt + lookPause(waitingRoutes.size);
    if (mayLook) {
      this.#lookedAt = monotonic;
      this.#takeWaiting(taken, limit * WAITING_SHARE, now, monotonic);
    }
    for (let turns = 0; taken.length < limit && queue.firstTime <= now; turns++) {
      if (turns === TURNS_IN_ONE_GO) break;
      const flight = occurrences.takeTurn(queue.firstSlot, now);
      if (flight === -1) continue;
      if (this.#maySend(flights.route.get(flight), monotonic)) {
        occurrences.markSent(flight, now, monotonic);
        taken.push(flight);
      } else {
        occurrences.holdBack(flight, now);
      }
    }
    if (mayLook) this.#takeWaiting(taken, limit, now, monotonic);
    return taken;
  }

  /** ms until a waiting route may be worth a look; Infinity when none is. */
  untilRetry(monotonic: number): number {
    const { waitingRoutes, arena } = this.#options.occurrences;
    if (waitingRoutes.size > MANY_ROUTES) return lookPause(waitingRoutes.size);
    let delay = Number.POSITIVE_INFINITY;
    for (const index of waitingRoutes) {
      const { retryAt } = arena.routes.get(index);
      if (retryAt > monotonic) delay = Math.min(delay, retryAt - monotonic);
    }
    return delay;
  }

  #takeWaiting(taken: number[], limit: number, now: number, monotonic: number): void {
    const { occurrences } = this.#options;
    const { arena, queue, flights, waitingRoutes } = occurrences;
    for (const route of [...waitingRoutes]) {
      if (taken.length >= limit) return;
      const before = taken.length;
      while (taken.length < limit && waitingRoutes.has(route) && this.#maySend(route, monotonic)) {
        const flight = occurrences.firstWaiting(route);
        if (flight === -1) break;
        const slot = flights.slot.get(flight);
        if (queue.timeOf(slot) <= now && arena.misfire(slot)?.policy !== 'all') {
          // The job's next time has come meanwhile: its turn makes this one the later run, or void.
          occurrences.takeTurn(slot, now);
          continue;
        }
        if (occurrences.dropIfOld(flight, now)) continue;
        occurrences.takeFromList(route);
        occurrences.markSent(flight, now, monotonic);
        taken.push(flight);
      }
      // The next batch begins with another route.
      if (taken.length > before) occurrences.moveToEnd(route);
    }
  }

  #maySend(index: number, monotonic: number): boolean {
    const route = this.#options.occurrences.arena.routes.get(index);
    return mayTake(route, monotonic) && this.#options.isUsable(route.exchange);
  }
}

/** ms; a look takes as long as there are routes, so that it takes the same small share of the thread. */
function lookPause(routes: number): number {
  return LOOK_PAUSE * Math.ceil(routes / 1000);
}
