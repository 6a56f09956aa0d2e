import type { EventFilter, EventType } from './event-types.ts';

/** Where a listener's events go: a connection, which takes them at its own pace. */
export type EventSink = {
  /** Bytes that wait to be taken. */
  readonly pending: number;
  write(text: string): void;
  /** Ends it at once. */
  end(): void;
};

/** An event as it is sent. */
export type Frame = {
  readonly type: EventType;
  readonly routingKey: string;
  readonly text: string;
  readonly bytes: number;
};

/**
 * One that listens. It is given no more than it takes: beyond the limit events are dropped and counted, and it is told how
 * many once it has taken half of what waited.
 */
export class EventListener {
  readonly filter: EventFilter;
  readonly #sink: EventSink;
  readonly #limit: number;
  readonly #leftOut = new Map<EventType, number>();
  readonly #dropped = new Map<EventType, number>();

  /** @param limit bytes that may wait */
  constructor(filter: EventFilter, sink: EventSink, limit: number) {
    this.filter = filter;
    this.#sink = sink;
    this.#limit = limit;
  }

  wants(type: EventType, routingKey: string | null): boolean {
    const { types, routingKey: own } = this.filter;
    return types.has(type) && (own === null || own === routingKey);
  }

  /** @returns how many of them were dropped */
  offer(frames: readonly Frame[], at: string): number {
    this.resume(at);
    let text = '';
    let bytes = this.#sink.pending;
    let dropped = 0;
    for (const frame of frames) {
      if (!this.wants(frame.type, frame.routingKey)) continue;
      // In between nothing is sent, so that what is told as dropped is one stretch.
      if (this.#dropped.size > 0 || bytes + frame.bytes > this.#limit) {
        count(this.#dropped, frame.type, 1);
        dropped++;
      } else {
        bytes += frame.bytes;
        text += frame.text;
      }
    }
    if (text !== '') this.#sink.write(text);
    return dropped;
  }

  /** So many were not told to anybody. */
  leaveOut(type: EventType, routingKey: string | null, many: number): void {
    if (this.wants(type, routingKey)) count(this.#leftOut, type, many);
  }

  /** Tells what was left out since the last call. */
  tellLeftOut(at: string): void {
    if (this.#leftOut.size === 0 || this.#isFull()) return;
    this.#sink.write(
      frameOf('sampled', { type: 'sampled', at, left_out: Object.fromEntries(this.#leftOut) }),
    );
    this.#leftOut.clear();
  }

  /** Tells what was dropped, once there is room again. */
  resume(at: string): void {
    if (this.#dropped.size === 0 || this.#sink.pending > this.#limit / 2) return;
    this.#sink.write(frameOf('dropped', { type: 'dropped', at, dropped: Object.fromEntries(this.#dropped) }));
    this.#dropped.clear();
  }

  /** A comment, so that whoever stands between does not take the connection for dead. */
  beat(): void {
    if (!this.#isFull()) this.#sink.write(':\n\n');
  }

  end(): void {
    this.#sink.end();
  }

  #isFull(): boolean {
    return this.#dropped.size > 0 || this.#sink.pending >= this.#limit;
  }
}

/** An event of the wire format (HTML, section 9.2.6). JSON has no newlines. */
export function frameOf(type: string, data: object, id?: number): string {
  const line = id === undefined ? '' : `id: ${id}\n`;
  return `event: ${type}\n${line}data: ${JSON.stringify(data)}\n\n`;
}

function count(counts: Map<EventType, number>, type: EventType, many: number): void {
  counts.set(type, (counts.get(type) ?? 0) + many);
}
