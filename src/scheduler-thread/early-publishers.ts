import type { PublisherReport } from '../protocol/scheduler-publisher.ts';
import { createPublisherPool, type PublisherPool, type PublisherPoolOptions } from './publisher-pool.ts';

/** The scheduler's part that the publishers tell. */
export type PublisherEvents = {
  hear(report: PublisherReport): void;
  loseThread(threadId: number, error: unknown): void;
};

/** Publisher threads that start before there is a scheduler: what they say until then is kept for it. */
export class EarlyPublishers {
  readonly pool: PublisherPool;
  /** By what is spoken of, a thread's connection or one of its exchanges: the last word counts. */
  readonly #reports = new Map<string, PublisherReport>();
  #events: PublisherEvents | null = null;

  constructor(options: Omit<PublisherPoolOptions, 'onReport' | 'onThreadLost'>) {
    this.pool = createPublisherPool({
      ...options,
      onReport: (report) => {
        if (this.#events !== null) this.#events.hear(report);
        else this.#reports.set(subjectOf(report), report);
      },
      onThreadLost: (threadId, error) => {
        for (const [subject, report] of this.#reports) {
          if (report.threadId === threadId) this.#reports.delete(subject);
        }
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

function subjectOf(report: PublisherReport): string {
  return `${report.threadId} ${report.type} ${report.type === 'exchange.changed' ? report.exchange : ''}`;
}
