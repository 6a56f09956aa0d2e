import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';

/** Lines about returned messages in one window, and the window's length in ms. */
const LINES = 10;
const WINDOW = 10_000;

/** Logs the messages that no queue was bound for, at a bounded rate: what was left out is counted. */
export class ReturnLog {
  readonly #log: Log;
  readonly #clock: Clock;
  #windowEnd = 0;
  #lines = 0;
  #leftOut = 0;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  note(exchange: string, routingKey: string): void {
    const now = this.#clock.monotonic();
    if (now >= this.#windowEnd) {
      if (this.#leftOut > 0) this.#log.warn(`${this.#leftOut} more messages were returned as unroutable`);
      this.#windowEnd = now + WINDOW;
      this.#lines = 0;
      this.#leftOut = 0;
    }
    if (this.#lines++ < LINES) {
      this.#log.warn(
        { exchange, routing_key: routingKey },
        `returned as unroutable: no queue takes routing key ${JSON.stringify(routingKey)} from exchange ${JSON.stringify(exchange)}`,
      );
    } else {
      this.#leftOut++;
    }
  }
}
