import { EXCEPTIONS_LIMIT } from '../job/exceptions.ts';
import type { Flights } from './flights.ts';
import { FlightState } from './flights.ts';
import type { JobArena } from './job-arena.ts';

/**
 * The frontier: every occurrence before it is settled or listed. It is the smallest of now, the earliest time in
 * the queue (due, but not taken yet) and the earliest unsettled time that the list of exceptions does not hold.
 * (The stamps of changes that are not taken in yet are main's part: it knows them first.)
 *
 * What is unsettled is listed however young it is, also at or after the frontier: the durable watermark may be
 * ahead of it, after a step of the clock, and everything unsettled before that one has to be in the list.
 */
export type Frontier = {
  /** Unix ms. */
  readonly time: number;
  readonly ids: Float64Array;
  readonly times: Float64Array;
  readonly behind: Float64Array;
};

/**
 * @param now Unix ms
 * @param firstQueued the earliest time in the queue, Unix ms; Infinity when it is empty
 * @param limit the most that the list holds; what does not fit holds the frontier back
 */
export function computeFrontier(
  flights: Flights,
  arena: JobArena,
  now: number,
  firstQueued: number,
  limit: number = EXCEPTIONS_LIMIT,
): Frontier {
  // Times are whole ms: what is due in this very ms and not in the queue any more was taken.
  const time = Math.min(Math.floor(now) + 1, firstQueued);
  const unsettled = flights.sent + flights.waiting;
  const firstLeftOut = unsettled > limit ? nthSmallest(timesOf(flights), limit) : Number.POSITIVE_INFINITY;
  const ids: number[] = [];
  const times: number[] = [];
  const behind: number[] = [];
  forEachUnsettled(flights, (flight) => {
    const scheduled = flights.time.get(flight);
    if (scheduled >= firstLeftOut) return;
    ids.push(arena.id.get(flights.slot.get(flight)));
    times.push(scheduled);
    behind.push(flights.behind.get(flight));
  });
  return {
    time: Math.min(time, firstLeftOut),
    ids: Float64Array.from(ids),
    times: Float64Array.from(times),
    behind: Float64Array.from(behind),
  };
}

/** A bad exchange can leave every job's flight unsettled: nothing is allocated for each. */
function timesOf(flights: Flights): Float64Array {
  const times = new Float64Array(flights.sent + flights.waiting);
  let count = 0;
  forEachUnsettled(flights, (flight) => {
    times[count++] = flights.time.get(flight);
  });
  return times;
}

function forEachUnsettled(flights: Flights, visit: (flight: number) => void): void {
  let left = flights.sent + flights.waiting;
  for (let flight = 0; left > 0; flight++) {
    const state = flights.state.get(flight);
    if (state !== FlightState.sent && state !== FlightState.waiting) continue;
    visit(flight);
    left--;
  }
}

/** The n-th smallest (from 0), in linear time on average (Hoare's selection); reorders the values. */
function nthSmallest(values: Float64Array, n: number): number {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const pivot = values[(low + high) >> 1]!;
    let left = low;
    let right = high;
    while (left <= right) {
      while (values[left]! < pivot) left++;
      while (values[right]! > pivot) right--;
      if (left <= right) {
        const value = values[left]!;
        values[left++] = values[right]!;
        values[right--] = value;
      }
    }
    if (n <= right) high = right;
    else if (n >= left) low = left;
    else break;
  }
  return values[n]!;
}
