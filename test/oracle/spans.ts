import type { Attempt, Span as Period } from './events.ts';
import type { Report } from './report.ts';

/** A run by hand or backfill as it was stored. */
export type StoredSpan = {
  readonly id: number;
  readonly jobId: number;
  /** By which messages name it. */
  readonly job: string;
  readonly kind: 'run' | 'backfill';
  /** The times that it was to publish, Unix ms. */
  readonly times: readonly number[];
};

/** A message of a span, from when a publisher was handed it. */
export type SpanAttempt = Attempt & { readonly span: number; readonly jobId: number };

type Known = {
  readonly span: StoredSpan;
  /** Its job is there. */
  hasJob: boolean;
  /** Requests for its end that may have ended it. */
  ends: number;
  /** Its schedule has changed meanwhile: other times may come. */
  changed: boolean;
  /** When its end was answered. */
  endedAt: number | null;
};

/** What the oracle knows beside the spans. */
export type SpanFacts = { readonly repeatable: readonly Period[]; readonly stale: readonly Period[] };

/**
 * Judges runs by hand and backfills: each time of one that was stored comes, unless the span or its job was deleted; none
 * comes that was not asked for, nor twice without a reason, nor after the end was answered.
 */
export class SpanJudge {
  readonly #facts: SpanFacts;
  readonly #known = new Map<number, Known>();
  readonly #attempts: SpanAttempt[] = [];
  readonly #accepted: { readonly id: number; readonly job: string }[] = [];

  constructor(facts: SpanFacts) {
    this.#facts = facts;
  }

  /** It was committed. */
  stored(span: StoredSpan): void {
    this.#known.set(span.id, { span, hasJob: true, ends: 0, changed: false, endedAt: null });
  }

  /** A client was told that it is. */
  accepted(id: number, job: string): void {
    this.#accepted.push({ id, job });
  }

  /** Somebody has asked for its end: it may be ended from here on. */
  endAsked(id: number): void {
    const known = this.#known.get(id);
    if (known !== undefined) known.ends++;
  }

  /** There was no such span, or nothing was written: it had all been published, or was to be. */
  endRefused(id: number): void {
    const known = this.#known.get(id);
    if (known !== undefined) known.ends--;
  }

  endAnswered(id: number, at: number): void {
    const known = this.#known.get(id);
    if (known !== undefined) known.endedAt ??= at;
  }

  /** The job's row has changed. @param gone it was deleted */
  jobChanged(jobId: number, gone: boolean): void {
    for (const known of this.#known.values()) {
      if (known.span.jobId !== jobId) continue;
      known.changed = true;
      if (gone) known.hasJob = false;
    }
  }

  attempted(message: Pick<SpanAttempt, 'job' | 'messageId' | 'scheduledAt' | 'sent' | 'span' | 'jobId'>) {
    const attempt: SpanAttempt = {
      ...message,
      ...{ missed: 0, arrivedAt: null, confirmedAt: null, failed: null },
    };
    this.#attempts.push(attempt);
    return attempt;
  }

  judge(report: Report): void {
    for (const { id, job } of this.#accepted) {
      if (!this.#known.has(id)) report.find('lost', job, id, `span ${id} was accepted, and is not stored`);
    }
    const arrived = grouped(
      this.#attempts.filter(({ arrivedAt }) => arrivedAt !== null),
      ({ span }) => span,
    );
    for (const [id, attempts] of arrived) this.#judgeMessages(id, attempts, report);
    for (const known of this.#known.values())
      this.#judgeWhole(known, arrived.get(known.span.id) ?? [], report);
  }

  #judgeMessages(id: number, attempts: readonly SpanAttempt[], report: Report): void {
    const known = this.#known.get(id);
    report.counts.spanMessages += attempts.length;
    for (const attempt of attempts) {
      const { job, scheduledAt, jobId, messageId, sent } = attempt;
      const find = (verdict: 'unexpected' | 'message_id' | 'phantom', detail: string) =>
        report.find(verdict, job, scheduledAt, `span ${id}: ${detail}`);
      const [, ofJob, ofTime, ofSpan] = messageId.split('.').map((part) => Number.parseInt(part, 36));
      if (ofJob !== jobId || ofTime !== scheduledAt || ofSpan !== id) find('message_id', messageId);
      if (known === undefined) {
        find('unexpected', 'it was never stored');
        continue;
      }
      const { span, changed, endedAt } = known;
      if (span.job !== job || span.jobId !== jobId) find('unexpected', `it is of ${span.job}`);
      if (!changed && !span.times.includes(scheduledAt)) find('unexpected', 'it has no such time');
      if (endedAt !== null && sent !== null && sent.at > endedAt && !within(this.#facts.stale, sent.at)) {
        find('phantom', `it was ended ${sent.at - endedAt} ms before`);
      }
    }
    for (const group of grouped(attempts, ({ scheduledAt }) => scheduledAt).values()) {
      this.#judgeRepeats(group, report);
    }
  }

  #judgeRepeats(group: readonly SpanAttempt[], report: Report): void {
    const sentAt = ({ sent, arrivedAt }: SpanAttempt) => sent?.at ?? arrivedAt!;
    const [first, ...others] = group.toSorted((a, b) => sentAt(a) - sentAt(b));
    let before = first!;
    for (const attempt of others) {
      const confirmed = before.confirmedAt ?? Number.POSITIVE_INFINITY;
      const lost = before.failed !== null || confirmed > sentAt(attempt);
      if (lost || within(this.#facts.repeatable, confirmed)) report.counts.repeatedExcused++;
      else {
        const { job, scheduledAt, span } = attempt;
        const detail = `span ${span}: the first was confirmed at ${confirmed}, this one sent at ${sentAt(attempt)}`;
        report.find('repeated', job, scheduledAt, detail);
      }
      before = attempt;
    }
  }

  #judgeWhole(
    { span, hasJob, ends, changed }: Known,
    attempts: readonly SpanAttempt[],
    report: Report,
  ): void {
    if (!hasJob || ends > 0 || (changed && span.kind === 'backfill')) return;
    const came = new Set(attempts.map(({ scheduledAt }) => scheduledAt));
    for (const time of span.times) {
      report.counts.spanExpected++;
      if (!came.has(time)) report.find('lost', span.job, time, `span ${span.id}: no message came for it`);
    }
  }
}

function grouped<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

function within(periods: readonly Period[], at: number): boolean {
  return periods.some(({ from, to }) => from <= at && at <= to);
}
