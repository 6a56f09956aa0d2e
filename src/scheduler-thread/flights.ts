import { Column } from './column.ts';

/**
 * Occurrences on their way, each in one of these states:
 *
 *   (new) -> waiting   at once sent, or held back in its route's list when that, or RabbitMQ, cannot take it now; a
 *                      catch-up waits in a list of all of them until the rate lets it go
 *   waiting -> sent    with a publisher; an outcome will come
 *   sent -> waiting    nacked, lost or unsent, and the job still owes it
 *   sent -> settled    confirmed or returned
 *   sent -> void       superseded or cancelled: the outcome that is still to come changes nothing
 *   waiting -> void    likewise; the record is freed when it comes to the head of its route's list
 *   void -> sent       the turn of a later schedule has come to its time: it is owed again
 *
 * `sent` and `waiting` are unsettled. A void flight that a publisher has stays in its job's list until its outcome, so
 * that its time is known to be in flight; one that waited leaves its job at once. A record is a row over these columns; a job's records are a linked list from
 * the arena. When a job is removed its records become void and forget the slot, which guards its reuse.
 */
export const FlightState = { free: 0, sent: 1, waiting: 2, void: 3 } as const;

/** What a flight waits for, in the list of its route, in that of all catch-ups, or in none. */
export const WaitsIn = {
  route: 0,
  /** The rate of catch-ups. */
  rate: 1,
  /** A turn of its job that is due, or waits for the rate: that one takes it along. */
  turn: 2,
} as const;

export class Flights {
  readonly slot = new Column(Int32Array);
  /** The job's id, which a report of all records would otherwise look for all over the arena. */
  readonly id = new Column(Float64Array);
  readonly route = new Column(Int32Array);
  readonly state = new Column(Uint8Array);
  /** The scheduled time, Unix ms. */
  readonly time = new Column(Float64Array);
  /** How many earlier scheduled times the run stands for. */
  readonly behind = new Column(Float64Array);
  /** When a publisher got it last, Unix ms; 0 when none did yet. */
  readonly sentAt = new Column(Float64Array);
  /** Where it waits: one of `WaitsIn`. */
  readonly waitsIn = new Column(Uint8Array);
  /** The job's next record, -1 at the end. */
  readonly nextOfJob = new Column(Int32Array);
  /** The next record that waits for the same route, or the next free one, -1 at the end. */
  readonly nextInList = new Column(Int32Array);
  #free = -1;
  #end = 0;
  #counts = [0, 0, 0, 0];

  get sent(): number {
    return this.#counts[FlightState.sent]!;
  }

  get waiting(): number {
    return this.#counts[FlightState.waiting]!;
  }

  add(slot: number, id: number, route: number, time: number, behind: number, nextOfJob: number): number {
    let flight = this.#free;
    if (flight === -1) {
      flight = this.#end++;
      for (const column of this.#columns()) column.reserve(this.#end);
    } else {
      this.#free = this.nextInList.get(flight);
    }
    this.slot.set(flight, slot);
    this.id.set(flight, id);
    this.route.set(flight, route);
    this.time.set(flight, time);
    this.behind.set(flight, behind);
    this.sentAt.set(flight, 0);
    this.waitsIn.set(flight, WaitsIn.route);
    this.nextOfJob.set(flight, nextOfJob);
    this.nextInList.set(flight, -1);
    this.state.set(flight, FlightState.waiting);
    this.#counts[FlightState.waiting]!++;
    return flight;
  }

  setState(flight: number, state: number): void {
    this.#counts[this.state.get(flight)]!--;
    this.#counts[state]!++;
    this.state.set(flight, state);
  }

  /** The record must not be in a job's list, nor in a route's. */
  free(flight: number): void {
    this.setState(flight, FlightState.free);
    this.nextInList.set(flight, this.#free);
    this.#free = flight;
  }

  #columns(): Column[] {
    const { slot, id, route, state, time, behind, sentAt, waitsIn, nextOfJob, nextInList } = this;
    return [slot, id, route, state, time, behind, sentAt, waitsIn, nextOfJob, nextInList];
  }
}
