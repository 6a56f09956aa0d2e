import type { Clock } from '../clock.ts';
import { type Log, quote } from '../log.ts';
import { messageId } from '../protocol/message-id.ts';
import { BoundedLines } from './bounded-lines.ts';
import type { Flights } from './flights.ts';
import type { JobArena } from './job-arena.ts';

/** Lines in one window. */
const LINES = 10;

/** A message that was confirmed, but no queue was bound for it. */
export type ReturnedMessage = {
  readonly exchange: string;
  readonly routingKey: string;
  /** The scheduled time, Unix ms. */
  readonly time: number;
  /** The run by hand or backfill that it belongs to; 0 for none. */
  readonly span: number;
  /**
   * Null when the job has been removed meanwhile. The name is asked for only where it is told, and null where its
   * messages have a payload of their own.
   */
  readonly job: { readonly id: number; readonly name: () => Uint8Array | null } | null;
};

export function describeReturned(flight: number, flights: Flights, arena: JobArena): ReturnedMessage {
  const slot = flights.slot.get(flight);
  const { exchange, routingKey } = arena.routes.get(flights.route.get(flight));
  const job = slot === -1 ? null : { id: arena.id.get(slot), name: () => arena.name(slot) };
  return { exchange, routingKey, time: flights.time.get(flight), span: 0, job };
}

/** Logs the messages that no queue was bound for, at a bounded rate: what was left out is counted. */
export class ReturnLog {
  readonly #log: Log;
  readonly #lines: BoundedLines;
  readonly #tag: string;
  readonly #decoder = new TextDecoder();

  /** @param tag the first part of every message_id */
  constructor(log: Log, clock: Clock, tag: string) {
    this.#log = log;
    this.#tag = tag;
    this.#lines = new BoundedLines(clock, LINES, (count) =>
      log.warn(`${count} more messages were returned as unroutable`),
    );
  }

  note(message: ReturnedMessage): void {
    this.#lines.tell(() => this.#tell(message));
  }

  #tell({ exchange, routingKey, time, span, job }: ReturnedMessage): void {
    const bytes = job?.name() ?? null;
    const name = bytes === null ? null : quote(this.#decoder.decode(bytes));
    const id = job === null ? null : messageId(this.#tag, job.id, time, span);
    const ofJob = name === null ? '' : `job ${name}, `;
    const what = job === null ? 'a job that was removed' : `${ofJob}message ${id}`;
    this.#log.warn(
      { exchange, routing_key: routingKey, job: name, message_id: id },
      `returned as unroutable: no queue takes routing key ${quote(routingKey)} from exchange ${quote(exchange)} (${what})`,
    );
  }
}
