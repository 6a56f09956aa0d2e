import { RUN_EVENTS } from '../protocol/events.ts';

/** What can be listened to: changes of jobs, and what became of their runs. */
export const EVENT_TYPES = ['scheduled', 'changed', 'cancelled', ...RUN_EVENTS] as const;
export type EventType = (typeof EVENT_TYPES)[number];

export type EventFilter = {
  readonly types: ReadonlySet<EventType>;
  /** Null for all. */
  readonly routingKey: string | null;
};
