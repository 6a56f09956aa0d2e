import { Kind } from '../protocol/history.ts';
import type { SpanCounters } from '../protocol/main-scheduler.ts';
import { Outcome, type OutcomeCode } from '../protocol/scheduler-publisher.ts';
import { EVENT_OF, isTaken, type Occurrences } from './occurrences.ts';
import type { OpenSpan, OpenSpans } from './open-spans.ts';
import type { ReturnedMessage } from './return-log.ts';
import { mayTake, noteConfirmed, noteFailed, noteSent, noteUnsent } from './routes.ts';
import type { SpanMessage } from './span-batch.ts';

/** ms between two batches of backfills: what their rate allows meanwhile goes together. */
const PAUSE = 20;
/** With more spans than this they are looked through only once in PAUSE, or when one is new. */
const MANY = 100;
/** ms until spans are looked at again of which nothing could go. */
const IDLE_PAUSE = 100;

export type SpanRunnerOptions = {
  readonly spans: OpenSpans;
  readonly occurrences: Occurrences;
  /** Messages a second of all backfills together. */
  readonly rate: number;
  /** Messages in one batch. */
  readonly limit: number;
  /** Whether the publishers can reach this exchange. */
  readonly isUsable: (exchange: string) => boolean;
  /** 0 to 1, for the jitter of backoffs. */
  readonly random: () => number;
};

/**
 * Hands out the messages of spans, and settles their outcomes: runs at once, backfills at their rate. Each span has its
 * turn after the others, and each route its limits (routes.ts), so that one which goes badly holds up its own spans
 * alone. None of it is an occurrence of the frontier, nor counted as one.
 */
export class SpanRunner {
  readonly #options: SpanRunnerOptions;
  /** Messages that the rate allows now. */
  #credit = 1;
  /** Monotonic ms. */
  #creditAt = Number.NEGATIVE_INFINITY;
  #notBefore = Number.NEGATIVE_INFINITY;
  /** Monotonic ms. */
  readonly #lookedAt = { runs: Number.NEGATIVE_INFINITY, all: Number.NEGATIVE_INFINITY };
  #idle = false;
  #inFlight = 0;
  readonly #counts = { runs: 0, backfilled: 0, returned: 0 };

  constructor(options: SpanRunnerOptions) {
    this.#options = options;
  }

  /** Messages that a publisher has and has not told the end of. */
  get inFlight(): number {
    return this.#inFlight;
  }

  counters(): SpanCounters {
    const { size, runs } = this.#options.spans;
    return { openRuns: runs, openBackfills: size - runs, ...this.#counts };
  }

  /**
   * Messages for one batch, all of one exchange, sent from here on; none when nothing can go now. Times in ms.
   *
   * @param backfills false: runs only
   */
  take(now: number, monotonic: number, backfills: boolean): SpanMessage[] {
    const { spans, occurrences, limit } = this.#options;
    const taken: SpanMessage[] = [];
    if (spans.size === 0 || (!backfills && spans.runs === 0)) return taken;
    if (!this.#mayLook(backfills ? 'all' : 'runs', monotonic)) return taken;
    const paced = backfills && monotonic >= this.#notBefore;
    if (paced) this.#refill(monotonic);
    let exchange: string | null = null;
    // One that sends moves to the end, and so has its next turn after all others.
    for (const open of spans) {
      if (taken.length >= limit) break;
      const isRun = open.span.kind === 'run';
      if (!isRun && !(paced && this.#credit >= 1)) continue;
      const message = this.#next(open, exchange, now, monotonic);
      if (message === null) continue;
      exchange = occurrences.arena.routes.get(message.route).exchange;
      if (!isRun) this.#credit--;
      spans.moveToEnd(open);
      taken.push(message);
    }
    if (paced) this.#idle = taken.length === 0;
    return taken;
  }

  /** What `take` with backfills found, of all exchanges, is on its way: the next ones gather. */
  pause(monotonic: number): void {
    this.#notBefore = Math.max(this.#notBefore, monotonic + PAUSE);
  }

  /** ms until it is worth a look; Infinity while nothing is open. */
  untilNext(monotonic: number): number {
    const { spans, rate } = this.#options;
    if (spans.size === 0) return Number.POSITIVE_INFINITY;
    if (this.#idle && this.#credit >= 1) return IDLE_PAUSE;
    const credited = ((1 - this.#credit) * 1000) / rate - (monotonic - this.#creditAt);
    return Math.max(credited, this.#notBefore - monotonic, PAUSE);
  }

  /** An outcome other than `pending`. Times in ms. */
  settle(message: SpanMessage, outcome: OutcomeCode, now: number, monotonic: number): void {
    const { spans, occurrences, random } = this.#options;
    const { open, time, sentAt } = message;
    const { jobId, kind } = open.span;
    const route = occurrences.arena.routes.get(message.route);
    route.unconfirmed--;
    this.#inFlight--;
    occurrences.history.noteSpan(Kind[kind], EVENT_OF[outcome], jobId, time, sentAt, now);
    if (isTaken(outcome)) {
      noteConfirmed(route, monotonic);
      this.#counts[kind === 'run' ? 'runs' : 'backfilled']++;
      if (outcome !== Outcome.confirmed) this.#counts.returned++;
      const slot = occurrences.arena.find(jobId);
      const run = { span: open.span, scheduledAt: time, sentAt };
      if (slot !== -1) occurrences.events?.publishedBeside(slot, route, run, { outcome, at: now });
      open.publish(time);
      spans.moved(open);
    } else {
      if (outcome === Outcome.unsent) noteUnsent(route, monotonic);
      else noteFailed(route, monotonic, random());
      open.takeBack(time);
    }
    occurrences.arena.routes.release(message.route);
    this.#idle = false;
  }

  describeReturned({ open, time, route }: SpanMessage): ReturnedMessage {
    const { arena } = this.#options.occurrences;
    const { id: span, jobId } = open.span;
    const { exchange, routingKey } = arena.routes.get(route);
    const slot = arena.find(jobId);
    const job = slot === -1 ? null : { id: jobId, name: () => arena.name(slot) };
    return { exchange, routingKey, time, span, job };
  }

  #mayLook(at: 'runs' | 'all', monotonic: number): boolean {
    const { spans } = this.#options;
    const isNew = at === 'runs' && spans.takeNew();
    if (spans.size > MANY && !isNew && monotonic < this.#lookedAt[at] + PAUSE) return false;
    this.#lookedAt[at] = monotonic;
    return true;
  }

  #next(open: OpenSpan, exchange: string | null, now: number, monotonic: number): SpanMessage | null {
    const { spans, occurrences, isUsable } = this.#options;
    const { arena } = occurrences;
    const slot = arena.find(open.span.jobId);
    if (slot === -1) return null;
    const route = arena.route.get(slot);
    const state = arena.routes.get(route);
    if (exchange !== null && state.exchange !== exchange) return null;
    if (!mayTake(state, monotonic) || !isUsable(state.exchange)) return null;
    const time = open.next(arena, slot);
    if (time === Number.POSITIVE_INFINITY) {
      // Its schedule may have changed, so that nothing is left.
      if (open.pending.size === 0) spans.moved(open);
      return null;
    }
    open.send(time);
    state.users++;
    noteSent(state, monotonic);
    this.#inFlight++;
    return { open, time, route, sentAt: now };
  }

  #refill(monotonic: number): void {
    const { rate } = this.#options;
    const gained = ((monotonic - this.#creditAt) * rate) / 1000;
    this.#credit = Math.min(this.#credit + gained, Math.max(1, (2 * PAUSE * rate) / 1000));
    this.#creditAt = monotonic;
  }
}
