import { type Log, quote } from '../log.ts';
import type { PublisherReport } from '../protocol/scheduler-publisher.ts';

type ConnectionReport = Extract<PublisherReport, { type: 'connection.changed' }>;
type ExchangeReport = Extract<PublisherReport, { type: 'exchange.changed' }>;

/**
 * Tells an operator how it stands with RabbitMQ, one line for each change. While a thread has no connection each
 * reason is told once: a broker that starts refuses, hangs up, and refuses again.
 */
export class BrokerLog {
  readonly #log: Log;
  /** By thread that cannot publish now: whether it is only blocked, and the reasons that were told. */
  readonly #faults = new Map<number, { blocked: boolean; readonly told: Set<string | null> }>();
  /** By exchange that cannot be published to: the threads that say so. */
  readonly #exchanges = new Map<string, Set<number>>();

  constructor(log: Log) {
    this.#log = log;
  }

  connection({ threadId, connected, reason, blocked }: ConnectionReport): void {
    const fault = this.#faults.get(threadId) ?? { blocked, told: new Set() };
    if (connected) {
      this.#faults.delete(threadId);
      this.#log.info({ threadId }, fault.blocked ? 'RabbitMQ takes messages again' : 'connected to RabbitMQ');
      return;
    }
    fault.blocked = blocked;
    this.#faults.set(threadId, fault);
    if (fault.told.has(reason)) return;
    fault.told.add(reason);
    this.#log.warn({ threadId }, blocked ? `${reason}` : `not connected to RabbitMQ: ${reason}`);
  }

  exchange({ threadId, exchange, usable, reason }: ExchangeReport): void {
    const threads = this.#exchanges.get(exchange) ?? new Set();
    const known = threads.size > 0;
    if (usable) threads.delete(threadId);
    else threads.add(threadId);
    if (threads.size > 0) this.#exchanges.set(exchange, threads);
    else this.#exchanges.delete(exchange);
    const name = quote(exchange);
    if (!usable && !known) this.#log.error(`exchange ${name} cannot be published to: ${reason}`);
    if (known && threads.size === 0) this.#log.info(`exchange ${name} can be published to again`);
  }

  lose(threadId: number, error: unknown): void {
    this.#faults.delete(threadId);
    this.#log.error({ err: error, threadId }, 'a publisher thread has ended: another one takes its place');
  }
}
