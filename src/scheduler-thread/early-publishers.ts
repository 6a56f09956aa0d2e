import type { PublisherReport } from '../protocol/scheduler-publisher.ts';
import { createPublisherPool, type PublisherPool, type PublisherPoolOptions } from './publisher-pool.ts';

/** The scheduler's part that the publishers tell. */
export type PublisherEvents = {
  hear(report: PublisherReport): void;
  loseThread(threadId: number, error: unknown): void;
};

/** Publisher threads that start before there is a scheduler: what they say of their connections is kept for it. */
export class EarlyPublishers {
  readonly pool: PublisherPool;
  /** By thread: without batches they speak of nothing but their connection, and the last word counts. */
  readonly #reports = new Map<number, PublisherReport>();
  #events: PublisherEvents | null = null;

  constructor(options: Omit<PublisherPoolOptions, 'onReport' | 'onThreadLost'>) {
    this.pool = createPublisherPool({
      ...options,
      onReport: (report) => {
        if (this.#events !== null) this.#events.hear(report);
        else this.#reports.set(report.threadId, report);
      },
      onThreadLost: (threadId, error) => {
        this.#reports.delete(threadId);
        this.#events?.loseThread(threadId, error);
      },
    });
  }

  /** Tells the scheduler what is known, and from now on all that comes. */
  attach(events: PublisherEvents): void {
    this.#events = events;
    for (const report of this.#reports.values()) events.hear(report);
    this.#reports.clear();
  }
}
