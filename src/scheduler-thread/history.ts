import { Event, type EventCode, type HistoryEntry, type KindCode } from '../protocol/history.ts';

/** At 3,333 messages a second about a minute and a half of what went well, and far longer of what did not. */
const PUBLISHED = 1 << 18;
const NOTABLE = 1 << 16;
const FIRST_SIZE = 1 << 10;
/** An entry's byte holds its event, and so many times its kind. */
const KIND_STEP = 16;

/**
 * The last outcomes of all jobs together, so that one can be asked why it ran, or did not. What went well has a ring of
 * its own, so that it does not push out the few others.
 */
export class History {
  readonly #published = new Ring(PUBLISHED);
  readonly #notable = new Ring(NOTABLE);

  note(event: EventCode, id: number, time: number, sentAt: number, at: number, count = 0): void {
    this.#ringOf(event).add(event, id, time, sentAt, at, count);
  }

  /** The same of a run by hand or a backfill. */
  noteSpan(kind: KindCode, event: EventCode, id: number, time: number, sentAt: number, at: number): void {
    this.#ringOf(event).add(event + kind * KIND_STEP, id, time, sentAt, at, 0);
  }

  #ringOf(event: EventCode): Ring {
    return event === Event.published ? this.#published : this.#notable;
  }

  /** Those of a job, the latest first. */
  of(id: number): HistoryEntry[] {
    return [...this.#published.of(id), ...this.#notable.of(id)].sort(
      (a, b) => b.at - a.at || b.time - a.time,
    );
  }
}

/** A ring over typed arrays, which doubles until it has its last size. */
class Ring {
  readonly #limit: number;
  #size = 0;
  #count = 0;
  #events = new Uint8Array(0);
  #ids = new Float64Array(0);
  #times = new Float64Array(0);
  #sentAts = new Float64Array(0);
  #ats = new Float64Array(0);
  #counts = new Uint32Array(0);

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @param code of event and kind */
  add(code: number, id: number, time: number, sentAt: number, at: number, count: number): void {
    if (this.#count === this.#size && this.#size < this.#limit) this.#grow();
    const place = this.#count++ & (this.#size - 1);
    this.#events[place] = code;
    this.#ids[place] = id;
    this.#times[place] = time;
    this.#sentAts[place] = sentAt;
    this.#ats[place] = at;
    this.#counts[place] = count;
  }

  *of(id: number): Generator<HistoryEntry> {
    const end = Math.min(this.#count, this.#size);
    for (let place = 0; place < end; place++) {
      if (this.#ids[place] !== id) continue;
      const code = this.#events[place]!;
      yield {
        event: (code % KIND_STEP) as EventCode,
        kind: Math.floor(code / KIND_STEP) as KindCode,
        time: this.#times[place]!,
        sentAt: this.#sentAts[place]!,
        at: this.#ats[place]!,
        count: this.#counts[place]!,
      };
    }
  }

  /** It wraps only at its last size. */
  #grow(): void {
    this.#size = Math.max(FIRST_SIZE, this.#size * 2);
    this.#events = grown(this.#events, new Uint8Array(this.#size));
    this.#ids = grown(this.#ids, new Float64Array(this.#size));
    this.#times = grown(this.#times, new Float64Array(this.#size));
    this.#sentAts = grown(this.#sentAts, new Float64Array(this.#size));
    this.#ats = grown(this.#ats, new Float64Array(this.#size));
    this.#counts = grown(this.#counts, new Uint32Array(this.#size));
  }
}

function grown<T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
