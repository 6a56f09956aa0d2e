import type { Clock } from '../clock.ts';
import { type Log, quote } from '../log.ts';
import { messageId } from '../protocol/message-id.ts';
import type { Flights } from './flights.ts';
import type { JobArena } from './job-arena.ts';

/** Lines about returned messages in one window, and the window's length in ms. */
const LINES = 10;
const WINDOW = 10_000;

/** A message that was confirmed, but no queue was bound for it. */
export type ReturnedMessage = {
  readonly exchange: string;
  readonly routingKey: string;
  /** The scheduled time, Unix ms. */
  readonly time: number;
  /** Null when the job has been removed meanwhile. The name is asked for only where it is told. */
  readonly job: { readonly id: number; readonly name: () => Uint8Array } | null;
};

export function describeReturned(flight: number, flights: Flights, arena: JobArena): ReturnedMessage {
  const slot = flights.slot.get(flight);
  const { exchange, routingKey } = arena.routes.get(flights.route.get(flight));
  const job = slot === -1 ? null : { id: arena.id.get(slot), name: () => arena.body(slot) };
  return { exchange, routingKey, time: flights.time.get(flight), job };
}

/** Logs the messages that no queue was bound for, at a bounded rate: what was left out is counted. */
export class ReturnLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #tag: string;
  readonly #decoder = new TextDecoder();
  #windowEnd = 0;
  #lines = 0;
  #leftOut = 0;

  /** @param tag the first part of every message_id */
  constructor(log: Log, clock: Clock, tag: string) {
    this.#log = log;
    this.#clock = clock;
    this.#tag = tag;
  }

  note(message: ReturnedMessage): void {
    const now = this.#clock.monotonic();
    if (now >= this.#windowEnd) {
      if (this.#leftOut > 0) this.#log.warn(`${this.#leftOut} more messages were returned as unroutable`);
      this.#windowEnd = now + WINDOW;
      this.#lines = 0;
      this.#leftOut = 0;
    }
    if (this.#lines++ < LINES) this.#tell(message);
    else this.#leftOut++;
  }

  #tell({ exchange, routingKey, time, job }: ReturnedMessage): void {
    const name = job === null ? null : quote(this.#decoder.decode(job.name()));
    const id = job === null ? null : messageId(this.#tag, job.id, time);
    const what = job === null ? 'a job that was removed' : `job ${name}, message ${id}`;
    this.#log.warn(
      { exchange, routing_key: routingKey, job: name, message_id: id },
      `returned as unroutable: no queue takes routing key ${quote(routingKey)} from exchange ${quote(exchange)} (${what})`,
    );
  }
}
