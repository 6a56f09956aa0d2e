import type { Span, SpanProgress } from '../job/span.ts';
import type { SpanChange, SpansProgress } from '../protocol/main-scheduler.ts';
import type { JobArena } from './job-arena.ts';

/**
 * What one span may have with publishers, or confirmed out of order, at a time: a route that never confirms holds up
 * its own spans alone, and what a row says of times ahead of its position stays short.
 */
const WINDOW = 32;

/**
 * An open span. Each of its times is in one of these states, and moves to the next:
 *
 *   to come  -> pending   handed to a publisher; every time before `cursor` is past this state
 *   pending  -> pending   nacked, lost or unsent: it waits to be sent again
 *   pending  -> published confirmed or returned: it stands in `ahead` until every earlier one is published too
 */
export class OpenSpan {
  readonly span: Span;
  /** Unix ms: no time before it is still to come. */
  cursor: number;
  /** Whether each time is with a publisher, or waits to be sent again; in the order of the times. */
  readonly pending = new Map<number, { sent: boolean }>();
  readonly ahead: Set<number>;
  published: number;
  /** It publishes nothing more: what is with a publisher may still arrive. */
  over = false;

  constructor(span: Span) {
    this.span = span;
    this.cursor = span.position;
    this.ahead = new Set(span.ahead);
    this.published = span.published;
  }

  /** The time to send next, Unix ms; Infinity when there is none now. */
  next(arena: JobArena, slot: number): number {
    for (const [time, { sent }] of this.pending) if (!sent) return time;
    if (this.pending.size + this.ahead.size >= WINDOW) return Number.POSITIVE_INFINITY;
    return this.#toCome(arena, slot);
  }

  send(time: number): void {
    const waiting = this.pending.get(time);
    if (waiting !== undefined) waiting.sent = true;
    else {
      this.pending.set(time, { sent: true });
      this.cursor = time + 1;
    }
  }

  /** It was not confirmed: it is to be sent again. */
  takeBack(time: number): void {
    const waiting = this.pending.get(time);
    if (waiting !== undefined) waiting.sent = false;
  }

  publish(time: number): void {
    this.pending.delete(time);
    this.ahead.add(time);
    this.published++;
    const [first = this.cursor] = this.pending.keys();
    for (const before of this.ahead) if (before < first) this.ahead.delete(before);
  }

  /** Null when nothing is left. */
  progress(arena: JobArena, slot: number): SpanProgress | null {
    const [first] = this.pending.keys();
    const position = first ?? this.#toCome(arena, slot);
    if (position === Number.POSITIVE_INFINITY) return null;
    const { published, span } = this;
    return { id: span.id, position, published, ahead: [...this.ahead].filter((time) => time > position) };
  }

  /** The first time that was not handed out yet; Infinity after the last. */
  #toCome(arena: JobArena, slot: number): number {
    const { kind, position, to } = this.span;
    if (kind === 'run') return this.cursor > position ? Number.POSITIVE_INFINITY : position;
    for (;;) {
      const time = arena.firstAtOrAfter(slot, this.cursor);
      if (time >= to!) return Number.POSITIVE_INFINITY;
      if (!this.ahead.has(time)) return time;
      this.cursor = time + 1;
    }
  }
}

/**
 * The runs by hand and backfills that are open, and what of them is still to be told to main. A span whose job is not
 * there waits while the table loads; after that it ends.
 */
export class OpenSpans {
  readonly #arena: JobArena;
  readonly #spans = new Map<number, OpenSpan>();
  readonly #ofJob = new Map<number, Set<OpenSpan>>();
  readonly #changed = new Set<OpenSpan>();
  #ended: number[] = [];
  #loading = true;
  #isNew = true;
  #runs = 0;

  constructor(arena: JobArena, spans: readonly Span[]) {
    this.#arena = arena;
    for (const span of spans) this.#open(span);
  }

  /** How many are open. */
  get size(): number {
    return this.#spans.size;
  }

  /** How many of them are runs. */
  get runs(): number {
    return this.#runs;
  }

  /** Whether one was opened since the last call. */
  takeNew(): boolean {
    const isNew = this.#isNew;
    this.#isNew = false;
    return isNew;
  }

  /** In the order of their turns. */
  [Symbol.iterator](): Iterator<OpenSpan> {
    return this.#spans.values();
  }

  apply(change: SpanChange): void {
    if (change.op === 'open') {
      this.#open(change.span);
      if (!this.#loading && this.#arena.find(change.span.jobId) === -1) this.#end(change.span.id, true);
    } else this.#end(change.id, false);
  }

  /** Its spans end with a job. */
  jobRemoved(jobId: number): void {
    for (const { span } of [...(this.#ofJob.get(jobId) ?? [])]) this.#end(span.id, true);
  }

  finishLoad(): void {
    this.#loading = false;
    for (const { span } of [...this.#spans.values()]) {
      if (this.#arena.find(span.jobId) === -1) this.#end(span.id, true);
    }
  }

  /** The others come before it. */
  moveToEnd(open: OpenSpan): void {
    if (this.#spans.delete(open.span.id)) this.#spans.set(open.span.id, open);
  }

  /** Something of it was published: it may be the last. */
  moved(open: OpenSpan): void {
    if (!open.over) this.#changed.add(open);
  }

  /** What has changed since the last call. */
  takeProgress(): SpansProgress {
    const moved: SpanProgress[] = [];
    for (const open of this.#changed) {
      const slot = this.#arena.find(open.span.jobId);
      if (slot === -1) continue;
      const progress = open.progress(this.#arena, slot);
      if (progress === null) this.#end(open.span.id, true);
      else moved.push(progress);
    }
    this.#changed.clear();
    const ended = this.#ended;
    this.#ended = [];
    return { moved, ended };
  }

  #open(span: Span): void {
    const open = new OpenSpan(span);
    this.#spans.set(span.id, open);
    const others = this.#ofJob.get(span.jobId);
    if (others === undefined) this.#ofJob.set(span.jobId, new Set([open]));
    else others.add(open);
    if (span.kind === 'run') this.#runs++;
    this.#isNew = true;
  }

  /** @param tell main does not know it yet */
  #end(id: number, tell: boolean): void {
    const open = this.#spans.get(id);
    if (open === undefined) return;
    open.over = true;
    this.#spans.delete(id);
    this.#changed.delete(open);
    const { jobId, kind } = open.span;
    const others = this.#ofJob.get(jobId)!;
    others.delete(open);
    if (others.size === 0) this.#ofJob.delete(jobId);
    if (kind === 'run') this.#runs--;
    if (tell) this.#ended.push(id);
  }
}
