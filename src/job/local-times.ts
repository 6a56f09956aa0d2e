import { DAY, END_OF_TIME, type Timetable } from './times.ts';
import type { Segment, Zone } from './zone.ts';

/**
 * Times on a wall clock that never changes, in whole ms, strictly increasing: a local time is written as the Unix ms
 * at which UTC's clocks show it.
 */
export type LocalPattern = {
  /** The first at or after `local`; Infinity when there is none. */
  next(local: number): number;
  /** The last at or before `local`; -Infinity when there is none. */
  previous(local: number): number;
  /** How many lie in [from, until), counted no further than `limit`. */
  count(from: number, until: number, limit: number): number;
};

/** What becomes of local times that a change of the clock leaves out, and of those that come twice. */
export type ClockChanges = { readonly gap: 'skip' | 'run'; readonly overlap: 'first' | 'both' };

/** No change of a clock is greater (Samoa left out a day in 2011); with an hour to spare. */
const GREATEST_CHANGE = DAY + 3_600_000;

/**
 * When a zone's clocks show the times of a pattern. Within a segment (see zone.ts) that is a difference. Where a
 * segment begins:
 *
 *     gap: the clock goes from 02:00 to 03:00        overlap: it goes from 03:00 back to 02:00
 *
 *     ... 01:59 | 03:00 ...                          ... 02:00 ... 02:59 | 02:00 ... 02:59   03:00 ...
 *               ^ with gap 'run': once, if any                             ^ with overlap 'first' nothing
 *                 of 02:00 to 02:59 is in the                                until 03:00
 *                 pattern, however many are
 */
export class LocalTimes implements Timetable {
  readonly #pattern: LocalPattern;
  readonly #zone: Zone;
  readonly #changes: ClockChanges;

  constructor(pattern: LocalPattern, zone: Zone, changes: ClockChanges) {
    this.#pattern = pattern;
    this.#zone = zone;
    this.#changes = changes;
  }

  firstAtOrAfter(time: number): number {
    let from = Math.max(0, time);
    while (from < END_OF_TIME) {
      const segment = this.#zone.segmentAt(from);
      if (from === segment.from && this.#gapRuns(segment)) return from;
      const next = this.#pattern.next(Math.max(from + segment.offset, this.#opens(segment)));
      const first = next - segment.offset;
      if (first < segment.until) return first < END_OF_TIME ? first : Number.POSITIVE_INFINITY;
      // What follows at once may repeat local times from before `from`; what comes later has nothing before `next`.
      const near = segment.until - from < GREATEST_CHANGE;
      from = near ? segment.until : Math.max(segment.until, first - 2 * GREATEST_CHANGE);
    }
    return Number.POSITIVE_INFINITY;
  }

  lastAtOrBefore(time: number): number {
    let until = Math.min(time, END_OF_TIME - 1);
    while (until >= 0) {
      const segment = this.#zone.segmentAt(until);
      const previous = this.#pattern.previous(until + segment.offset);
      const last = previous - segment.offset;
      if (last >= segment.from && previous >= this.#opens(segment)) {
        return last >= 0 ? last : Number.NEGATIVE_INFINITY;
      }
      if (this.#gapRuns(segment)) return segment.from;
      const near = until - segment.from < GREATEST_CHANGE;
      until = near ? segment.from - 1 : Math.min(segment.from - 1, last + 2 * GREATEST_CHANGE);
    }
    return Number.NEGATIVE_INFINITY;
  }

  count(from: number, until: number, limit: number): number {
    const end = Math.min(until, END_OF_TIME);
    let count = 0;
    // Steps from one segment that has any to the next.
    let time = this.firstAtOrAfter(from);
    while (time < end && count < limit) {
      const segment = this.#zone.segmentAt(time);
      const stop = Math.min(end, segment.until);
      if (time === segment.from && this.#gapRuns(segment)) {
        count++;
        time++;
      }
      const start = Math.max(time + segment.offset, this.#opens(segment));
      const finish = stop + segment.offset;
      if (start < finish) count += this.#pattern.count(start, finish, limit - count);
      time = stop < end ? this.firstAtOrAfter(stop) : end;
    }
    return Math.min(limit, count);
  }

  /** Whether a run at the segment's begin stands for local times that the gap before it leaves out. */
  #gapRuns({ from, offset, before }: Segment): boolean {
    if (offset <= before || from < 0 || this.#changes.gap === 'skip') return false;
    return this.#pattern.next(from + before) < from + offset;
  }

  /** The first local time of a segment that counts: with overlap 'first', those from before it do not come again. */
  #opens({ from, offset, before }: Segment): number {
    return this.#changes.overlap === 'first' && before > offset ? from + before : Number.NEGATIVE_INFINITY;
  }
}
