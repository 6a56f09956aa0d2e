import type { CatchUpRate } from './catch-up-rate.ts';
import type { Lapses } from './lapses.ts';
import type { Occurrences } from './occurrences.ts';
import { mayTake } from './routes.ts';

/**
 * What waited may fill so much of a batch while something else is due: a route that recovers must not starve others.
 */
const WAITING_SHARE = 0.5;
/**
 * A batch ends with the message that fills so many bytes, all bodies together: what is on its way is a copy beside the
 * jobs' own, which the memory's account does not know of.
 */
const BATCH_BYTES = 1_048_576;
/** Turns taken in one go, whether or not their messages can be sent. */
export const TURNS_IN_ONE_GO = 5000;
/** Catch-ups that wait are listed in checkpoints while they take no more than this share of the list. */
const LISTED_SHARE = 0.5;
/** With more waiting routes than this they are not looked through at each turn, but once in so many ms a thousand. */
const MANY_ROUTES = 100;
const LOOK_PAUSE = 5;

export type DueBatchOptions = {
  readonly occurrences: Occurrences;
  /** Messages in one batch. */
  readonly limit: number;
  /** Whether the publishers can reach this exchange. */
  readonly isUsable: (exchange: string) => boolean;
  /** How catch-ups are paced; null where they are not. */
  readonly pacing?: Pacing | null;
};

export type Pacing = {
  readonly rate: CatchUpRate;
  readonly lapses: Lapses;
  /** ms */
  readonly misfireAfter: number;
  /** Entries of a checkpoint's list. */
  readonly listed: number;
  readonly loading: () => boolean;
};

/** The flights of a batch, sent from here on. */
class Taken {
  readonly flights: number[] = [];
  readonly #occurrences: Occurrences;
  readonly #limit: number;
  #bytes = 0;

  /** @param limit messages */
  constructor(occurrences: Occurrences, limit: number) {
    this.#occurrences = occurrences;
    this.#limit = limit;
  }

  get size(): number {
    return this.flights.length;
  }

  /** @param share of the batch */
  hasRoom(share = 1): boolean {
    return this.size < this.#limit * share && this.#bytes < BATCH_BYTES * share;
  }

  /** Times in ms. */
  add(flight: number, now: number, monotonic: number): void {
    const { arena, flights } = this.#occurrences;
    this.#bytes += arena.bodyLength(flights.slot.get(flight));
    this.#occurrences.markSent(flight, now, monotonic);
    this.flights.push(flight);
  }
}

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
    const taken = new Taken(occurrences, limit);
    this.#options.pacing?.lapses.noteClock(now);
    const mayLook =
      waitingRoutes.size <= MANY_ROUTES || monotonic >= this.#lookedAt + lookPause(waitingRoutes.size);
    if (mayLook) {
      this.#lookedAt = monotonic;
      this.#takeWaiting(taken, WAITING_SHARE, now, monotonic);
    }
    const isFull = taken.size === 0 && this.isFull(monotonic);
    for (let turns = 0; !isFull && taken.hasRoom() && queue.firstTime <= now; turns++) {
      if (turns === TURNS_IN_ONE_GO) break;
      if (this.putOff(queue.firstSlot, now)) continue;
      if (!this.#maySend(occurrences.arena.route.get(queue.firstSlot), monotonic) && this.isFull(monotonic))
        break;
      const flight = occurrences.takeTurn(queue.firstSlot, now, 'on time');
      if (flight === -1) continue;
      if (this.#maySend(flights.route.get(flight), monotonic)) {
        taken.add(flight, now, monotonic);
      } else {
        occurrences.holdBack(flight, now);
      }
    }
    if (mayLook) this.#takeWaiting(taken, 1, now, monotonic);
    // Behind all that is due now.
    if (queue.firstTime > now) this.#takePaced(taken, now, monotonic);
    return taken.flights;
  }

  /**
   * Whether all routes go well, and none has room for a batch. What is due then stays in the queue: to hold it back in a
   * list would be work for nothing, and batches that grow cost less than many small ones.
   */
  isFull(monotonic: number): boolean {
    const { routes } = this.#options.occurrences.arena;
    return routes.size <= MANY_ROUTES && routes.areFull(monotonic, this.#options.limit);
  }

  /** Whether the job at the head of the queue missed its time and waits for the rate of catch-ups. @param now Unix ms */
  putOff(slot: number, now: number): boolean {
    const { occurrences, pacing = null } = this.#options;
    if (pacing === null) return false;
    const { lapses, misfireAfter, listed } = pacing;
    const { arena, queue, missed, latestTurn } = occurrences;
    const time = queue.timeOf(slot);
    lapses.noteClock(now);
    const clock = lapses.clockFor(time, now, pacing.loading());
    if (clock === null || !arena.isMissed(slot, time, clock, misfireAfter)) return false;
    // What is not made up for is dropped at once, or runs for a time that was not missed.
    if (arena.misfire(slot)?.policy === 'skip') return false;
    lapses.begin(time, clock, missed.firstTime, latestTurn);
    if (lapses.waits(time, occurrences.unsettledCount >= listed * LISTED_SHARE)) {
      occurrences.putOff(slot, clock);
    } else {
      const flight = occurrences.takeTurn(slot, now);
      if (flight !== -1) occurrences.pace(flight);
    }
    return true;
  }

  /** Where all that waits fits into the list it becomes flights, so that the watermark need not wait. @param now Unix ms */
  listMissed(now: number): void {
    const { occurrences, pacing = null } = this.#options;
    const { missed } = occurrences;
    if (pacing === null || missed.size + occurrences.unsettledCount > pacing.listed * LISTED_SHARE) return;
    pacing.lapses.noteClock(now);
    // After a step back of the clock they are to come.
    while (missed.firstTime <= now && occurrences.unsettledCount < pacing.listed) {
      const flight = occurrences.takeTurn(missed.firstSlot, now, 'missed');
      if (flight !== -1) occurrences.pace(flight);
    }
  }

  /** ms until a catch-up may go; Infinity when none waits. @param now Unix ms @param monotonic ms */
  untilPaced(now: number, monotonic: number): number {
    const { occurrences, pacing = null } = this.#options;
    if (pacing === null || occurrences.pacedCount === 0) return Number.POSITIVE_INFINITY;
    const { rate } = pacing;
    const untilTime = occurrences.firstPaced() === -1 ? occurrences.missed.firstTime - now : 0;
    return Math.max(rate.untilNext(monotonic), untilTime);
  }

  /** Those that wait for the rate: the ones that are listed first, then the others by their times. */
  #takePaced(taken: Taken, now: number, monotonic: number): void {
    const { occurrences, pacing = null } = this.#options;
    if (pacing === null) return;
    const { rate } = pacing;
    const { flights, missed } = occurrences;
    this.listMissed(now);
    for (let turns = 0; turns < TURNS_IN_ONE_GO && taken.hasRoom() && rate.has(monotonic); turns++) {
      let flight = occurrences.firstPaced();
      if (flight !== -1) {
        if (occurrences.dropIfOld(flight, now)) continue;
        occurrences.takePaced();
        if (occurrences.hasTurn(flight, now)) {
          occurrences.park(flight);
          continue;
        }
        if (!this.#maySend(flights.route.get(flight), monotonic)) {
          // Its route has gone bad meanwhile: it takes no place from others.
          occurrences.hold(flight);
          continue;
        }
        rate.use();
      } else {
        if (missed.firstTime > now) return;
        flight = occurrences.takeTurn(missed.firstSlot, now, 'missed');
        if (flight === -1) continue;
        // One that cannot go takes its place too: a route's jobs are not all to be taken at once.
        rate.use();
        if (!this.#maySend(flights.route.get(flight), monotonic)) {
          occurrences.holdBack(flight, now);
          continue;
        }
      }
      taken.add(flight, now, monotonic);
    }
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

  #takeWaiting(taken: Taken, share: number, now: number, monotonic: number): void {
    const { occurrences } = this.#options;
    const { arena, queue, flights, waitingRoutes } = occurrences;
    const isPaced = (this.#options.pacing ?? null) !== null;
    let left = TURNS_IN_ONE_GO;
    for (const route of [...waitingRoutes]) {
      if (!taken.hasRoom(share)) return;
      const before = taken.size;
      while (taken.hasRoom(share) && waitingRoutes.has(route) && this.#maySend(route, monotonic)) {
        const flight = occurrences.firstWaiting(route);
        if (flight === -1) break;
        const slot = flights.slot.get(flight);
        if (isPaced && occurrences.hasTurn(flight, now)) {
          // Turns are taken in the order of their times, and each is judged by itself.
          occurrences.takeFromList(route);
          occurrences.park(flight);
          if (--left === 0) return;
          continue;
        }
        if (queue.timeOf(slot) <= now && arena.misfire(slot)?.policy !== 'all') {
          // The job's next time has come meanwhile: its turn makes this one the later run, or void.
          occurrences.takeTurn(slot, now);
          continue;
        }
        if (occurrences.dropIfOld(flight, now)) continue;
        occurrences.takeFromList(route);
        if (isPaced && occurrences.isCatchUp(flight, now)) {
          occurrences.pace(flight);
          if (--left === 0) return;
          continue;
        }
        taken.add(flight, now, monotonic);
      }
      // The next batch begins with another route.
      if (taken.size > before) occurrences.moveToEnd(route);
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
