import { Temporal } from 'temporal-polyfill';
import { DalgaError } from '../errors.ts';
import { SharedCache } from './shared-cache.ts';

/** A stretch of time in which a zone's clocks have the same distance to UTC. Times in Unix ms. */
export type Segment = {
  /** -Infinity for the zone's first. */
  readonly from: number;
  /** Not included; Infinity for its last. */
  readonly until: number;
  /** ms: local time - UTC. A local time is written as the Unix ms at which UTC's clocks show it. */
  readonly offset: number;
  /** ms: the offset before `from`. Less than `offset` where a gap comes before, more where hours are repeated. */
  readonly before: number;
};

/** A time zone: which segment a time lies in. Segments are worked out once; the usual question is one compare. */
export class Zone {
  readonly name: string;
  readonly #segments: Segment[] = [];
  #last: Segment;

  constructor(name: string) {
    this.name = name;
    this.#last = this.#find(0);
  }

  /** @param time Unix ms, finite */
  segmentAt(time: number): Segment {
    const last = this.#last;
    if (time >= last.from && time < last.until) return last;
    this.#last = this.#known(time) ?? this.#find(time);
    return this.#last;
  }

  #known(time: number): Segment | undefined {
    const segment = this.#segments[this.#position(time) - 1];
    return segment !== undefined && time < segment.until ? segment : undefined;
  }

  /** How many known segments begin at or before `time`. */
  #position(time: number): number {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#segments[middle]!.from > time) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #find(time: number): Segment {
    const at = this.#at(Math.floor(time));
    // The transition before the next ms, so that one at `time` itself is found.
    const from = this.#at(Math.floor(time) + 1).getTimeZoneTransition('previous');
    const until = at.getTimeZoneTransition('next');
    const offset = at.offsetNanoseconds / 1e6;
    const segment: Segment = {
      from: from?.epochMilliseconds ?? Number.NEGATIVE_INFINITY,
      until: until?.epochMilliseconds ?? Number.POSITIVE_INFINITY,
      offset,
      before: from === null ? offset : this.#at(from.epochMilliseconds - 1).offsetNanoseconds / 1e6,
    };
    this.#segments.splice(this.#position(time), 0, segment);
    return segment;
  }

  #at(time: number): Temporal.ZonedDateTime {
    return Temporal.Instant.fromEpochMilliseconds(time).toZonedDateTimeISO(this.name);
  }
}

/**
 * Names without a region that the IANA database has. Others of this kind are abbreviations that ICU takes for one of
 * the zones they may mean (BST for Bangladesh, IST for India), and not what was meant.
 */
const WITHOUT_REGION =
  /^(UTC|UCT|GMT|GMT[+-]?0|Zulu|Universal|Greenwich|[CEMW]ET|EST|HST|MST|EST5EDT|CST6CDT|MST7MDT|PST8PDT|Cuba|Egypt|Eire|GB|GB-Eire|Hongkong|Iceland|Iran|Israel|Jamaica|Japan|Kwajalein|Libya|NZ|NZ-CHAT|Navajo|Poland|Portugal|PRC|ROC|ROK|Singapore|Turkey|W-SU)$/i;

const zones = new SharedCache<Zone>();

/** The zone of an IANA name, in whatever case. @throws DalgaError invalid_parameter */
export function zoneOf(name: string): Zone {
  if (name.includes('/') ? /^SystemV\//i.test(name) : !WITHOUT_REGION.test(name)) throw unknown(name);
  try {
    return zones.get(name, () => new Zone(name));
  } catch (cause) {
    throw unknown(name, cause);
  }
}

function unknown(name: string, cause?: unknown): DalgaError {
  const rule =
    'must be a name of the IANA time zone database, such as Europe/Istanbul or UTC, and no offset or abbreviation';
  return new DalgaError(
    'invalid_parameter',
    `location ${rule}: ${JSON.stringify(name.slice(0, 100))} is none`,
    {
      parameter: 'location',
      cause,
    },
  );
}
