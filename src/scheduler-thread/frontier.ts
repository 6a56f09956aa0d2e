import { FlightState } from './flights.ts';
import type { Occurrences } from './occurrences.ts';

/**
 * The frontier: every occurrence before it is settled or listed. It is the smallest of now, the earliest time in
 * the queue (due, but not taken yet), the earliest missed one that waits for the rate of catch-ups, and the earliest that
 * the list of exceptions has no place for. (The stamps of changes that are not taken in yet are main's part: it knows
 * them first.)
 *
 * What is unsettled is listed however young it is, also at or after the frontier: the durable watermark may be
 * ahead of it, after a step of the clock, and everything unsettled before that one has to be in the list. So is a job
 * in the queue whose next run is to count times from before the watermark.
 */
export type Frontier = {
  /** Unix ms. */
  readonly time: number;
  readonly ids: Float64Array;
  readonly times: Float64Array;
  readonly behind: Float64Array;
  /** Whether all that is unsettled is listed. */
  readonly complete: boolean;
};

/**
 * @param now Unix ms
 * @param limit the most that the list holds; what does not fit holds the frontier back
 */
export function computeFrontier(occurrences: Occurrences, now: number, limit: number): Frontier {
  const { queue, missed, unsettledCount } = occurrences;
  const leftOut = unsettledCount > limit ? nthSmallest(firstTimes(occurrences), limit) : Infinity;
  const room = Math.min(unsettledCount, limit);
  const ids = new Float64Array(room);
  const times = new Float64Array(room);
  const behinds = new Float64Array(room);
  let count = 0;
  forEachUnsettled(occurrences, (slot, time, behind, id) => {
    if (leftOut !== Infinity && firstTime(occurrences, slot, time, behind) >= leftOut) return;
    ids[count] = id;
    times[count] = time;
    behinds[count++] = behind;
  });
  return {
    // Times are whole ms: what is due in this very ms and not in the queue any more was taken.
    time: Math.min(Math.floor(now) + 1, queue.firstTime, missed.firstTime, leftOut),
    ids: ids.subarray(0, count),
    times: times.subarray(0, count),
    behind: behinds.subarray(0, count),
    complete: leftOut === Infinity,
  };
}

/** A bad exchange can leave every job's flight unsettled: nothing is allocated for each. */
function firstTimes(occurrences: Occurrences): Float64Array {
  const values = new Float64Array(occurrences.unsettledCount);
  let count = 0;
  forEachUnsettled(occurrences, (slot, time, behind) => {
    values[count++] = firstTime(occurrences, slot, time, behind);
  });
  return values;
}

/** The earliest that the occurrence stands for: with a watermark after it, nothing would tell of those before. */
function firstTime({ arena }: Occurrences, slot: number, time: number, behind: number): number {
  return behind === 0 ? time : arena.stepBack(slot, time, behind);
}

function forEachUnsettled(
  occurrences: Occurrences,
  visit: (slot: number, time: number, behind: number, id: number) => void,
): void {
  const { arena, flights, debts } = occurrences;
  let left = flights.sent + flights.waiting;
  for (let flight = 0; left > 0; flight++) {
    const state = flights.state.get(flight);
    if (state !== FlightState.sent && state !== FlightState.waiting) continue;
    visit(
      flights.slot.get(flight),
      flights.time.get(flight),
      flights.behind.get(flight),
      flights.id.get(flight),
    );
    left--;
  }
  for (const [slot, debt] of debts) visit(slot, occurrences.firstTimeOf(slot), debt, arena.id.get(slot));
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
