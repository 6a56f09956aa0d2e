import type { Clock, Timers } from '../clock.ts';
import { DalgaError } from '../errors.ts';
import { formatExact } from '../job/rfc3339.ts';
import type { Log } from '../log.ts';
import { EventSample } from '../protocol/event-sample.ts';
import {
  type EventInterest,
  type LeftOut,
  RUN_EVENTS,
  type RunEvent,
  type RunEventType,
} from '../protocol/events.ts';
import { describeChange, describeRun, textOf } from './event-data.ts';
import { EventListener, type EventSink, type Frame, frameOf } from './event-listener.ts';
import type { EventFilter, EventType } from './event-types.ts';
import type { JobEvent } from './store/batch-plan.ts';

export const EVENT_LIMITS = {
  listeners: 100,
  /** Bytes that wait for one of them. */
  buffer: 256 * 1024,
};

/** ms */
const HEARTBEAT = 15_000;
const SAMPLED_INTERVAL = 1000;

export type EventHubOptions = {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Pick<Log, 'error'>;
  /** The names of jobs, by their ids: those that are there. May reject. */
  readonly names: (ids: readonly number[]) => Promise<ReadonlyMap<number, Uint8Array>>;
  readonly limits?: typeof EVENT_LIMITS;
};

/** What a listener's connection says of itself. */
export type Listening = {
  /** It has taken what waited. */
  drained(): void;
  /** It is gone. */
  close(): void;
};

/** How it stands, and since the start of the process. */
export type EventCounts = { readonly listeners: number; readonly dropped: number };

/**
 * Tells those who listen what happens to jobs. Nothing is kept for later, and nothing gathers: what is too much is left
 * out at the source (`EventSample`) or dropped at a listener that is too slow (`EventListener`), and both are counted.
 *
 *   a batch is committed     -> `changed`, in this thread
 *   a run settles, is missed -> `ran`, by the scheduler, which is told what the listeners want, and when nobody does
 */
export class EventHub {
  readonly #options: EventHubOptions;
  readonly #limits: typeof EVENT_LIMITS;
  readonly #listeners = new Set<EventListener>();
  #sample = new EventSample<EventType>();
  #id = 0;
  #dropped = 0;
  /** Told of each change of the interest; null while this instance does not own the table. */
  #onInterest: ((interest: EventInterest | null) => void) | null = null;
  /** What the scheduler tells waits for the names of what it told before. */
  #telling: Promise<void> = Promise.resolve();
  #heartbeat: unknown = null;
  #sampled: unknown = null;

  constructor(options: EventHubOptions) {
    this.#options = options;
    this.#limits = options.limits ?? EVENT_LIMITS;
  }

  get heard(): boolean {
    return this.#listeners.size > 0;
  }

  get counts(): EventCounts {
    return { listeners: this.#listeners.size, dropped: this.#dropped };
  }

  /** This instance owns the table: the scheduler hears what is wanted. */
  begin(onInterest: (interest: EventInterest | null) => void): void {
    this.#onInterest = onInterest;
    if (this.heard) onInterest(this.#interest());
  }

  /** It does not any more, or stops: all streams end at once. */
  end(): void {
    this.#onInterest = null;
    for (const listener of this.#listeners) listener.end();
    this.#listeners.clear();
    this.#changed();
  }

  /** @throws DalgaError too_many_listeners */
  listen(filter: EventFilter, sink: EventSink): Listening {
    if (this.#listeners.size >= this.#limits.listeners) {
      throw new DalgaError('too_many_listeners', `${this.#limits.listeners} listen already: no more may`);
    }
    const listener = new EventListener(filter, sink, this.#limits.buffer);
    this.#listeners.add(listener);
    this.#changed();
    return {
      drained: () => listener.resume(this.#now()),
      close: () => {
        if (this.#listeners.delete(listener)) this.#changed();
      },
    };
  }

  /** A batch was committed. */
  changed(events: readonly JobEvent[]): void {
    const named = this.#routingKeys();
    const { clock } = this.#options;
    const now = clock.now();
    const monotonic = clock.monotonic();
    const frames: Frame[] = [];
    for (const event of events) {
      const routingKey = textOf(event.row.routingKey);
      if (!this.#isWanted(event.type, routingKey)) continue;
      if (this.#sample.take(event.type, monotonic)) {
        frames.push(this.#frame(event.type, routingKey, describeChange(event, routingKey, now)));
      } else this.#sample.leaveOut(event.type, named.has(routingKey) ? routingKey : null);
    }
    this.#offer(frames);
    this.#leaveOut(this.#sample.takeLeftOut());
  }

  /** The scheduler has told of runs. */
  ran(events: readonly RunEvent[], leftOut: readonly LeftOut<RunEventType>[]): void {
    this.#telling = this.#telling
      .then(async () => {
        const names = await this.#namesOf(events);
        this.#offer(
          events.map((event) => {
            const data = describeRun(event, event.job ?? names.get(event.id) ?? null);
            return this.#frame(event.type, event.routingKey, data);
          }),
        );
        this.#leaveOut(leftOut);
      })
      .catch((error: unknown) => this.#options.log.error({ err: error }, 'events could not be told'));
  }

  async #namesOf(events: readonly RunEvent[]): Promise<ReadonlyMap<number, Uint8Array>> {
    const ids = new Set(events.filter(({ job }) => job === null).map(({ id }) => id));
    if (ids.size === 0 || !this.heard) return new Map();
    try {
      return await this.#options.names([...ids]);
    } catch {
      // MySQL is away: they are told without their names.
      return new Map();
    }
  }

  #frame(type: EventType, routingKey: string, data: object): Frame {
    const text = frameOf(type, data, ++this.#id);
    return { type, routingKey, text, bytes: Buffer.byteLength(text) };
  }

  #offer(frames: readonly Frame[]): void {
    if (frames.length === 0) return;
    const at = this.#now();
    for (const listener of this.#listeners) this.#dropped += listener.offer(frames, at);
  }

  #leaveOut(counts: readonly LeftOut<EventType>[]): void {
    for (const { type, routingKey, count } of counts) {
      for (const listener of this.#listeners) listener.leaveOut(type, routingKey, count);
    }
  }

  #isWanted(type: EventType, routingKey: string): boolean {
    for (const listener of this.#listeners) if (listener.wants(type, routingKey)) return true;
    return false;
  }

  /** Those that listeners name. */
  #routingKeys(): ReadonlySet<string | null> {
    return new Set([...this.#listeners].map(({ filter }) => filter.routingKey));
  }

  /** Listeners have come or gone. */
  #changed(): void {
    const { timers } = this.#options;
    this.#onInterest?.(this.#interest());
    if (this.heard) {
      this.#heartbeat ??= timers.set(() => this.#beat(), HEARTBEAT);
      this.#sampled ??= timers.set(() => this.#tellLeftOut(), SAMPLED_INTERVAL);
      return;
    }
    timers.clear(this.#heartbeat);
    timers.clear(this.#sampled);
    this.#heartbeat = null;
    this.#sampled = null;
    this.#sample = new EventSample();
  }

  #interest(): EventInterest | null {
    const filters = [...this.#listeners].map(({ filter }) => filter);
    const interest = RUN_EVENTS.flatMap((type) => {
      const keys = filters.filter(({ types }) => types.has(type)).map(({ routingKey }) => routingKey);
      if (keys.length === 0) return [];
      const named = new Set(keys.filter((key) => key !== null));
      return { type, all: keys.includes(null), routingKeys: [...named] };
    });
    return interest.length === 0 ? null : interest;
  }

  #beat(): void {
    for (const listener of this.#listeners) listener.beat();
    this.#heartbeat = this.#options.timers.set(() => this.#beat(), HEARTBEAT);
  }

  #tellLeftOut(): void {
    const at = this.#now();
    for (const listener of this.#listeners) listener.tellLeftOut(at);
    this.#sampled = this.#options.timers.set(() => this.#tellLeftOut(), SAMPLED_INTERVAL);
  }

  #now(): string {
    return formatExact(this.#options.clock.now());
  }
}
