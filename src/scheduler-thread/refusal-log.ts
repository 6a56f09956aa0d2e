import type { Clock } from '../clock.ts';
import { type Log, quote } from '../log.ts';
import { BoundedLines } from './bounded-lines.ts';
import type { RouteState } from './routes.ts';

/** Lines in one window. */
const LINES = 20;

/**
 * Tells of the routes whose messages the broker refuses (a full queue, a right that is missing), and of those that it
 * takes again: each change once, at a bounded rate.
 */
export class RefusalLog {
  readonly #log: Log;
  readonly #lines: BoundedLines;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#lines = new BoundedLines(clock, LINES, (count) =>
      log.warn(`${count} more lines about routing keys that are refused, or taken again`),
    );
  }

  note({ exchange, routingKey, refused }: RouteState): void {
    const fields = { exchange, routing_key: routingKey };
    const route = `routing key ${quote(routingKey)} to exchange ${quote(exchange)}`;
    this.#lines.tell(() => {
      if (refused) this.#log.warn(fields, `RabbitMQ refuses messages with ${route}: they are tried again`);
      else this.#log.info(fields, `RabbitMQ takes messages with ${route} again`);
    });
  }
}
