import type { Clock } from '../clock.ts';
import { countMissed } from '../job/misfire.ts';
import type { Span } from '../job/span.ts';
import { EventSample } from '../protocol/event-sample.ts';
import type { EventInterest, LeftOut, RunEvent, RunEventType } from '../protocol/events.ts';
import { messageId } from '../protocol/message-id.ts';
import { Outcome, type OutcomeCode } from '../protocol/scheduler-publisher.ts';
import type { Flights } from './flights.ts';
import type { JobArena } from './job-arena.ts';
import type { RouteState } from './routes.ts';

export type EventNotesOptions = {
  readonly arena: JobArena;
  readonly flights: Flights;
  readonly clock: Clock;
  /** The first part of every message_id. */
  readonly tag: string;
  /** ms */
  readonly misfireAfter: number;
};

/** What is to be told of runs, while somebody listens: at a bounded rate, so that it never gathers many. */
export class EventNotes {
  readonly #options: EventNotesOptions;
  #wanted: ReadonlyMap<RunEventType, { readonly all: boolean; readonly named: ReadonlySet<string> }> =
    new Map();
  readonly #sample = new EventSample<RunEventType>();
  #events: RunEvent[] = [];

  constructor(options: EventNotesOptions) {
    this.#options = options;
  }

  want(interest: EventInterest): void {
    this.#wanted = new Map(
      interest.map(({ type, all, routingKeys }) => [type, { all, named: new Set(routingKeys) }]),
    );
  }

  /** RabbitMQ has taken the message of a flight, for a queue or not. @param at Unix ms */
  published(flight: number, slot: number, outcome: OutcomeCode, at: number): void {
    const { arena, flights, tag } = this.#options;
    const route = arena.routes.get(flights.route.get(flight));
    const scheduledAt = flights.time.get(flight);
    const sentAt = flights.sentAt.get(flight);
    const behind = flights.behind.get(flight);
    const run = {
      ...{ at, kind: null, scheduledAt, sentAt },
      messageId: messageId(tag, arena.id.get(slot), scheduledAt),
    };
    if (this.#wanted.has('misfired')) {
      const missed = this.#missedBy(slot, scheduledAt, behind, sentAt);
      if (missed > 0) this.#note('misfired', slot, route, { ...run, count: missed, rerouted: false });
    }
    const type = outcome === Outcome.confirmed ? 'published' : 'returned';
    const rerouted = outcome === Outcome.rerouted;
    this.#note(type, slot, route, { ...run, count: behind, rerouted });
  }

  /** The same of a message of a run by hand or a backfill. Unix ms. */
  publishedBeside(
    slot: number,
    route: RouteState,
    run: { readonly span: Pick<Span, 'id' | 'kind'>; readonly scheduledAt: number; readonly sentAt: number },
    { outcome, at }: { readonly outcome: OutcomeCode; readonly at: number },
  ): void {
    const { arena, tag } = this.#options;
    const { span, scheduledAt, sentAt } = run;
    this.#note(outcome === Outcome.confirmed ? 'published' : 'returned', slot, route, {
      ...{ at, kind: span.kind, scheduledAt, sentAt, count: 0, rerouted: outcome === Outcome.rerouted },
      messageId: messageId(tag, arena.id.get(slot), scheduledAt, span.id),
    });
  }

  /** Nothing runs for so many times of a job, of which the first is told. Unix ms. */
  skipped(slot: number, scheduledAt: number, count: number, at: number): void {
    const { arena } = this.#options;
    const route = arena.routes.get(arena.route.get(slot));
    this.#note('misfired', slot, route, {
      ...{ at, kind: null, scheduledAt, sentAt: 0, messageId: null, count, rerouted: false },
    });
  }

  /** What there is to tell since the last call; null when there is nothing. */
  take(): {
    readonly events: readonly RunEvent[];
    readonly leftOut: readonly LeftOut<RunEventType>[];
  } | null {
    const leftOut = this.#sample.takeLeftOut();
    if (this.#events.length === 0 && leftOut.length === 0) return null;
    const events = this.#events;
    this.#events = [];
    return { events, leftOut };
  }

  /** As x-dalga-missed tells it. */
  #missedBy(slot: number, scheduledAt: number, behind: number, sentAt: number): number {
    const { arena, misfireAfter } = this.#options;
    const gap = arena.gapAfter(slot, scheduledAt);
    const interval = gap === Number.POSITIVE_INFINITY ? 0 : gap;
    return countMissed(scheduledAt, behind, interval, sentAt, misfireAfter);
  }

  #note(
    type: RunEventType,
    slot: number,
    { exchange, routingKey }: RouteState,
    run: Omit<RunEvent, 'type' | 'id' | 'job' | 'routingKey' | 'exchange'>,
  ): void {
    const { arena, clock } = this.#options;
    const wanted = this.#wanted.get(type);
    if (wanted === undefined) return;
    const isNamed = wanted.named.has(routingKey);
    if (!wanted.all && !isNamed) return;
    if (!this.#sample.take(type, clock.monotonic())) {
      this.#sample.leaveOut(type, isNamed ? routingKey : null);
      return;
    }
    const id = arena.id.get(slot);
    this.#events.push({ type, id, job: arena.name(slot), routingKey, exchange, ...run });
  }
}
