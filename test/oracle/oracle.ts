import type { Answer, Attempt, Change, Span } from './events.ts';
import { histories } from './history.ts';
import { judgeJob } from './judge.ts';
import { Report } from './report.ts';
import { SpanJudge } from './spans.ts';

export type { Answer, Attempt, Change, Plan, Span, Time } from './events.ts';
export { Report, VERDICTS, type Verdict } from './report.ts';

export type OracleOptions = {
  /** A message later than this is late, ms, unless a trouble was near. */
  readonly lateAfter: number;
  /** As Dalga is configured, ms. */
  readonly misfireAfter: number;
  /**
   * How long after it was superseded, or too old, a missed occurrence may yet be sent, ms: Infinity where that is not to
   * be judged, since it is not known when it was sent.
   */
  readonly staleAfter: number;
  /** How long after an answer what was in flight may still come, ms: 0 where `sent` is given for each message. */
  readonly inFlight: number;
  /** The same for a schedule that was replaced, whose answer does not wait for the scheduler, ms. */
  readonly inFlightReplaced: number;
  /** By how much Dalga's clock may differ from the oracle's, ms. */
  readonly clockTolerance: number;
  /**
   * How long a message may be on its way, ms, where it is not known when it was sent: whether it counts its own time as
   * missed depends on that.
   */
  readonly delivery: number;
};

/** What a message says. */
export type Message = Pick<Attempt, 'job' | 'messageId' | 'scheduledAt'> &
  Partial<Pick<Attempt, 'missed' | 'sent'>>;

const DEFAULTS: OracleOptions = {
  lateAfter: 1000,
  misfireAfter: 60_000,
  staleAfter: Number.POSITIVE_INFINITY,
  inFlight: 1000,
  inFlightReplaced: 1000,
  clockTolerance: 5,
  delivery: 0,
};

/**
 * Knows every change that was asked for and every message that came, and says what is wrong. Its rule is that of
 * Jepsen's checker for Chronos: each occurrence that must have run is matched to a message of its own, and extras
 * are counted. It does no I/O and reads no clock: a simulation feeds it as well as a test over real processes.
 */
export class Oracle {
  readonly options: OracleOptions;
  /** Of all jobs, by name. */
  readonly changes = new Map<string, Change[]>();
  readonly attempts = new Map<string, Attempt[]>();
  /** Dispatch was hindered. */
  readonly troubles: Span[] = [];
  /** What was confirmed in such a span may come once more. */
  readonly repeatable: Span[] = [];
  /** Catch-ups waited for their rate. */
  readonly paced: Span[] = [];
  /** Owners ended; each by its own clock. */
  readonly ends: number[] = [];
  /** An owner that was no owner any more may have published. */
  readonly stale: Span[] = [];

  /** What was asked for beside the schedules. */
  readonly spans = new SpanJudge(this);

  constructor(options: Partial<OracleOptions> = {}) {
    this.options = { ...DEFAULTS, ...options };
  }

  /** A change is asked for. Until `answered` is called it may or may not be written. */
  asked(job: string, at: number, unknown: Extract<Answer, { result: 'unknown' }>['plan']): Change {
    const change: Change = {
      job,
      askedAt: at,
      answeredAt: Number.POSITIVE_INFINITY,
      answer: { result: 'unknown', plan: unknown },
      applied: null,
      settledAt: null,
    };
    const changes = this.changes.get(job);
    if (changes === undefined) this.changes.set(job, [change]);
    else if (changes.at(-1)!.answeredAt > at) throw new Error(`changes of ${job} overlap`);
    else changes.push(change);
    return change;
  }

  answered(change: Change, at: number, answer: Answer): void {
    change.answeredAt = at;
    change.answer = answer;
  }

  /**
   * What became of a change whose outcome was not known.
   *
   * @param answer what it would have been answered
   * @param settledAt from here on what it ended must not be sent any more; null where that is not to be judged
   */
  resolved(change: Change, answer: Answer, settledAt: number | null = null): void {
    change.applied = answer.result !== 'refused';
    change.settledAt = settledAt;
    if (answer.result === 'stored') change.answer = { result: 'unknown', plan: answer.plan };
    else if (answer.result !== 'unknown' && answer.result !== 'deleted') change.answer = answer;
  }

  /** A publisher was handed a message, where that can be seen; what becomes of it is to be set on the answer. */
  attempted(message: Message): Attempt {
    const attempt: Attempt = {
      missed: 0,
      sent: null,
      ...message,
      arrivedAt: null,
      confirmedAt: null,
      failed: null,
    };
    const attempts = this.attempts.get(message.job);
    if (attempts === undefined) this.attempts.set(message.job, [attempt]);
    else attempts.push(attempt);
    return attempt;
  }

  /** A message came. */
  arrived(message: Message, at: number): void {
    this.attempted(message).arrivedAt = at;
  }

  /** While this lasts dispatch is hindered: a server or the owner is away, or the table loads. */
  trouble(span: Span): void {
    this.troubles.push(span);
  }

  /**
   * What was confirmed in this span may come once more: the 250 ms before a kill; from the start of a load that was
   * not finished; from the stamp of a change that was not acknowledged; while no checkpoint could be written; what
   * was unconfirmed when a connection was lost, where `sent` and `failed` do not tell.
   */
  mayRepeat(span: Span): void {
    this.repeatable.push(span);
  }

  /** While this lasts catch-ups wait for their rate: those alone may be late. */
  catchUpsPaced(span: Span): void {
    this.paced.push(span);
  }

  /** An owner has ended. @param clock what its clock said: what was due by that is not early */
  ownerEnded(clock: number): void {
    this.ends.push(clock);
  }

  /** One that had lost the table may have gone on publishing. */
  staleOwner(span: Span): void {
    this.stale.push(span);
  }

  /** @param until Dalga's clock: what came due by then, less `lateAfter`, must have come */
  judge(until: number): Report {
    const report = new Report();
    for (const job of new Set([...this.changes.keys(), ...this.attempts.keys()])) {
      const best = this.#judgeJob(job, until);
      report.findings.push(...best.findings);
      for (const name of Object.keys(report.counts) as (keyof Report['counts'])[]) {
        report.counts[name] += best.counts[name];
      }
    }
    this.#checkIds(report);
    this.spans.judge(report);
    return report;
  }

  /** Of all that may have happened to the job, what speaks best for Dalga. */
  #judgeJob(job: string, until: number): Report {
    let best: Report | null = null;
    for (const history of histories(this.changes.get(job) ?? [])) {
      const report = judgeJob(job, history, this.attempts.get(job) ?? [], this, until);
      if (report.ok) return report;
      if (best === null || report.findings.length < best.findings.length) best = report;
    }
    return best!;
  }

  /** One message_id never names two occurrences. */
  #checkIds(report: Report): void {
    const seen = new Map<string, Attempt>();
    for (const attempts of this.attempts.values()) {
      for (const attempt of attempts) {
        const { messageId, job, scheduledAt } = attempt;
        const other = seen.get(messageId);
        if (other === undefined) seen.set(messageId, attempt);
        else if (other.job !== job || other.scheduledAt !== scheduledAt) {
          const detail = `${messageId} is also that of ${other.job} at ${other.scheduledAt}`;
          report.find('message_id', job, scheduledAt, detail);
        }
      }
    }
  }
}
