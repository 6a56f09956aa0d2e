import { type Attempt, earliest, latest, type Plan, type Span } from './events.ts';
import { type Era, gapAfter, type History, isOnPlan, learn, stepBack, timesOf } from './history.ts';
import type { OracleOptions } from './oracle.ts';
import { byTime, Report } from './report.ts';

/** What the oracle knows beside the job. */
export type Facts = {
  readonly options: OracleOptions;
  readonly troubles: readonly Span[];
  readonly repeatable: readonly Span[];
  readonly paced: readonly Span[];
  readonly ends: readonly number[];
  readonly stale: readonly Span[];
};

/** After a trouble its effects last a while, ms. */
const AFTERMATH = 1000;

export function judgeJob(
  job: string,
  history: History,
  attempts: readonly Attempt[],
  facts: Facts,
  until: number,
): Report {
  return new JobJudge(job, history, attempts, facts, until).judge();
}

class JobJudge {
  readonly #job: string;
  readonly #history: History;
  readonly #attempts: readonly Attempt[];
  readonly #facts: Facts;
  readonly #until: number;
  readonly #arrived: ReadonlyMap<number, Attempt[]>;
  readonly #eras: readonly (Era & { readonly learned: Plan })[];
  readonly #report = new Report();

  constructor(job: string, history: History, attempts: readonly Attempt[], facts: Facts, until: number) {
    this.#job = job;
    this.#history = history;
    this.#attempts = attempts;
    this.#facts = facts;
    this.#until = until;
    this.#arrived = byTime(attempts);
    this.#eras = history.eras.map((era) => ({
      ...era,
      learned: learn(
        era.plan,
        attempts
          .filter(({ arrivedAt }) => arrivedAt !== null && arrivedAt >= era.askedAt)
          .map(({ scheduledAt }) => scheduledAt),
      ),
    }));
  }

  judge(): Report {
    for (const [time, group] of this.#arrived) this.#judgeMessages(time, group);
    for (const era of this.#eras) this.#judgeEra(era);
    return this.#report;
  }

  #judgeMessages(time: number, group: readonly Attempt[]): void {
    this.#report.counts.messages += group.length;
    const era = this.#eraOf(time);
    if (era === null) {
      this.#find('unexpected', time, 'it is no time of any schedule that the job had');
      return;
    }
    for (const attempt of group) {
      this.#judgePunctuality(attempt);
      this.#judgePhantom(attempt, era);
      this.#judgeStale(attempt, era);
    }
    const ids = new Set(group.map(({ messageId }) => messageId));
    if (ids.size > Math.max(1, this.#history.created)) {
      this.#find('message_id', time, `one occurrence has several ids: ${[...ids].join(' ')}`);
    }
    // A job that was deleted and made again is another one, and may have the same time.
    for (const id of ids) this.#judgeRepeats(group.filter(({ messageId }) => messageId === id));
  }

  /** The last schedule that has this time. */
  #eraOf(time: number): Era | null {
    return (
      this.#eras.findLast((era) => isOnPlan(era.learned, time) && time >= earliest(era.plan.since)) ?? null
    );
  }

  #judgePunctuality({ sent, arrivedAt, scheduledAt, missed }: Attempt): void {
    const { lateAfter, clockTolerance } = this.#facts.options;
    const lateness = (sent?.clock ?? arrivedAt!) - scheduledAt;
    // An owner whose clock was ahead may have left it: what was due once is due at once.
    const wasDue = this.#facts.ends.some((clock) => clock >= scheduledAt);
    if (lateness < (sent === null ? -clockTolerance : 0) && !wasDue) {
      this.#find('early', scheduledAt, `by ${-lateness} ms`);
    }
    const at = sent?.at ?? arrivedAt!;
    const isPaced = missed > 0 && within(this.#facts.paced, at);
    if (lateness > lateAfter && !isPaced && !this.#troubled(at - lateness, at)) {
      this.#find('late', scheduledAt, `by ${lateness} ms, and nothing was in the way`);
    }
  }

  /** What a publisher was handed later than the end of its schedule was answered. */
  #judgePhantom({ sent, arrivedAt, scheduledAt }: Attempt, { end }: Era): void {
    if (end === null || end.answeredAt === null) return;
    const { inFlight, inFlightReplaced } = this.#facts.options;
    const allowed = end.kind === 'deleted' ? inFlight : inFlightReplaced;
    const at = sent?.at ?? arrivedAt!;
    if (at <= end.answeredAt + allowed || within(this.#facts.stale, at)) return;
    const later = at - end.answeredAt;
    this.#find(
      'phantom',
      scheduledAt,
      `its schedule was ${end.kind}, answered ${later} ms before it was sent`,
    );
  }

  /** What was missed is not sent when a later time of the job is due, or, if it is to be skipped, when it is too old. */
  #judgeStale({ sent, scheduledAt }: Attempt, { plan, end }: Era): void {
    const { staleAfter, misfireAfter } = this.#facts.options;
    const misfire = plan.rules?.misfire ?? 'once';
    if (sent === null || misfire === 'all' || (end !== null && sent.at >= end.askedAt)) return;
    const gap = gapAfter(plan, scheduledAt) || Number.POSITIVE_INFINITY;
    const over = sent.clock - scheduledAt - (misfire === 'skip' ? Math.min(misfireAfter, gap) : gap);
    if (over > staleAfter) this.#find('stale', scheduledAt, `by ${over} ms, under misfire=${misfire}`);
  }

  /** In the order in which they were sent: one that was given up may arrive after the one that took its place. */
  #judgeRepeats(group: readonly Attempt[]): void {
    const sentAt = ({ sent, arrivedAt }: Attempt) => sent?.at ?? arrivedAt!;
    const [first, ...others] = group.toSorted((a, b) => sentAt(a) - sentAt(b));
    let before = first!;
    for (const attempt of others) {
      // Where its confirm can be seen, and was not, or not before this one was sent.
      const confirmed = before.confirmedAt ?? Number.POSITIVE_INFINITY;
      const lost = before.failed !== null || (before.sent !== null && confirmed > sentAt(attempt));
      const confirmedAt = before.confirmedAt ?? before.arrivedAt!;
      if (lost || within(this.#facts.repeatable, confirmedAt)) this.#report.counts.repeatedExcused++;
      else {
        const when = `the first was confirmed at ${confirmedAt}, this one came at ${attempt.arrivedAt}`;
        this.#find('repeated', attempt.scheduledAt, when);
      }
      before = attempt;
    }
  }

  /** Which of the schedule's times must have run, from the last to the first. */
  #judgeEra(era: Era & { readonly learned: Plan }): void {
    const plan = era.learned;
    const misfire = plan.rules?.misfire ?? 'once';
    const { clockTolerance, lateAfter } = this.#facts.options;
    const over =
      era.end === null
        ? Number.POSITIVE_INFINITY
        : Math.min(earliest(era.end.since), era.end.askedAt - clockTolerance);
    const beyond = Math.min(over, this.#until - lateAfter + 1);
    for (const time of [...timesOf(plan, latest(era.plan.since), beyond)].reverse()) {
      this.#report.counts.expected++;
      if (this.#arrived.has(time)) {
        this.#report.counts.matched++;
      } else if (misfire === 'once' && this.#isCounted(time, plan)) {
        this.#report.counts.superseded++;
        if (!this.#troubled(time, time + Math.max(gapAfter(plan, time), lateAfter))) {
          this.#find('late', time, 'it was superseded, and nothing had been in the way');
        }
      } else if (
        misfire === 'skip' &&
        this.#troubled(time, time + Math.max(gapAfter(plan, time), lateAfter))
      ) {
        this.#report.counts.skipped++;
      } else if (era.end !== null && this.#wasCancelled(time, era.end)) {
        this.#report.counts.cancelled++;
      } else {
        this.#find('lost', time, 'no message came for it, and none stands for it');
      }
    }
  }

  /** Whether a later message came that counts it as missed (misfire=once). */
  #isCounted(time: number, plan: Plan): boolean {
    return this.#attempts.some((attempt) => {
      const { arrivedAt, scheduledAt } = attempt;
      if (arrivedAt === null || scheduledAt <= time) return false;
      if (plan.rules !== undefined && !isOnPlan(plan, scheduledAt)) return false;
      const gap = gapAfter(plan, scheduledAt);
      return time >= stepBack(plan, scheduledAt, behind(attempt, gap, this.#facts.options));
    });
  }

  /** A change cancels what could not be sent before it. */
  #wasCancelled(time: number, end: NonNullable<Era['end']>): boolean {
    const { lateAfter } = this.#facts.options;
    return end.askedAt - time <= lateAfter || this.#troubled(time, end.askedAt);
  }

  #troubled(from: number, to: number): boolean {
    const { clockTolerance } = this.#facts.options;
    const margin = AFTERMATH + clockTolerance;
    return this.#facts.troubles.some((span) => span.from <= to + clockTolerance && span.to + margin >= from);
  }

  #find(verdict: Parameters<Report['find']>[0], time: number, detail: string): void {
    this.#report.find(verdict, this.#job, time, detail);
  }
}

/** How many earlier times the message stands for: its own may be among those that it counts as missed. */
function behind(
  { missed, sent, arrivedAt, scheduledAt }: Attempt,
  gap: number,
  { misfireAfter, clockTolerance, delivery }: OracleOptions,
): number {
  if (missed === 0) return 0;
  const patience = gap === 0 ? misfireAfter : Math.min(misfireAfter, gap);
  const sentAt = sent?.clock ?? arrivedAt!;
  // Where the time of sending is not known exactly, what is doubtful speaks for it.
  const margin = sent === null ? clockTolerance + delivery + patience / 10 : 0;
  return missed - (sentAt - scheduledAt > patience + margin ? 1 : 0);
}

function within(spans: readonly Span[], at: number): boolean {
  return spans.some(({ from, to }) => from <= at && at <= to);
}
