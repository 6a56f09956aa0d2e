import {
  type Answer,
  type Change,
  Oracle,
  type OracleOptions,
  type Plan,
  type Report,
} from '../oracle/oracle.ts';
import type { Asked, Journal, Result } from './api-writers.ts';
import type { Arrival } from './recorder.ts';
import type { SeedJob } from './seed-jobs.ts';

/** By how much Dalga's clock, which is slewed to the wall clock, may differ from this process's, ms. */
const CLOCK_TOLERANCE = 20;
/** How long a broker or a consumer on a loaded machine may keep a message, ms. */
const DELIVERY_LIMIT = 3000;

/** For a broker that works, on a loaded machine, ms. */
const BROKER_DELAY = 5000;

/** Jobs, and messages of each, that are told of where something was found. */
const STORIES = 5;
const TAIL = 20;
/** Messages of times that are at most so far from what was found, ms. */
const NEAR = 30_000;

/** What a process had sent before it was gone comes within this, ms; another one takes longer to start. */
const DELIVERY = 500;

/**
 * Tells the oracle what a test does to real processes: what it has asked of the API, the faults it brings about,
 * and what a consumer got.
 */
export class Account implements Journal {
  readonly oracle: Oracle;
  readonly #brokerDelay: number;

  /** @param brokerDelay the longest that the broker may take to hand a message over, ms */
  constructor(options: Partial<OracleOptions> = {}, brokerDelay = BROKER_DELAY) {
    this.oracle = new Oracle({ clockTolerance: CLOCK_TOLERANCE, delivery: DELIVERY_LIMIT, ...options });
    this.#brokerDelay = brokerDelay;
  }

  /** Jobs that were put straight into the table. */
  seeded(jobs: readonly SeedJob[], since: number): void {
    for (const { job, intervalMs, firstRun } of jobs) {
      const plan = { intervalMs: intervalMs ?? 0, firstRun, since };
      const change = this.oracle.asked(job, since, plan);
      this.oracle.answered(change, since, { result: 'stored', plan, created: true });
    }
  }

  sending(job: string, asked: Asked, sentAt: number): (result: Result, answeredAt: number) => void {
    const change = this.oracle.asked(job, sentAt, planOf(asked, sentAt, Number.POSITIVE_INFINITY));
    return (result, answeredAt) => {
      this.oracle.answered(change, answeredAt, answerOf(asked, result, sentAt, answeredAt));
    };
  }

  /**
   * An owner was killed, and one that knows nothing but what is durable goes on.
   *
   * @param repeatableFrom what was confirmed from then on may come once more
   * @param goneAt when the process was gone
   */
  crashed(repeatableFrom: number, goneAt: number): void {
    this.oracle.mayRepeat({ from: repeatableFrom, to: goneAt + DELIVERY });
  }

  /** The table, and for the first few findings all that was asked of their jobs and all that came. */
  tell(report: Report): string {
    const stories = report.findings.slice(0, STORIES).map(({ job, scheduledAt: found }) => {
      const changes = this.oracle.changes.get(job)?.map(({ askedAt, answeredAt, answer }) => {
        return `    ${askedAt} to ${answeredAt}: ${JSON.stringify(answer)}`;
      });
      const near = this.oracle.attempts
        .get(job)
        ?.filter(({ scheduledAt }) => Math.abs(scheduledAt - found) <= NEAR);
      const came = near?.map(({ messageId, scheduledAt, arrivedAt, missed }) => {
        return `    ${arrivedAt}: ${messageId} for ${scheduledAt}${missed > 0 ? `, ${missed} missed` : ''}`;
      });
      return [`  ${job}`, ...(changes ?? []), ...(came ?? ['    nothing came']).slice(0, TAIL)].join('\n');
    });
    return [report.toString(), ...stories].join('\n');
  }

  /**
   * A one-off whose time was past runs with its stamp as its time, which only its message tells: the one in that span
   * which no other schedule of the job has.
   */
  #learnStamps(job: string, changes: readonly Change[]): void {
    const plans = changes.flatMap(({ answer }) =>
      (answer.result === 'stored' || answer.result === 'unknown') && answer.plan !== null
        ? [answer.plan]
        : [],
    );
    for (const change of changes) {
      const { answer } = change;
      if (answer.result !== 'stored' || typeof answer.plan.firstRun === 'number') continue;
      const { from, to } = answer.plan.firstRun;
      const own = this.oracle.attempts
        .get(job)
        ?.find(
          ({ scheduledAt: time }) => time >= from && time <= to && !plans.some((plan) => has(plan, time)),
        );
      if (own !== undefined)
        change.answer = { ...answer, plan: { ...answer.plan, firstRun: own.scheduledAt } };
    }
  }

  /** Tells the oracle all that came, and asks for its judgement of every occurrence before `horizon` (Unix ms). */
  judge(arrivals: readonly Arrival[], horizon: number): Report {
    for (const { arrivedAt, ...message } of arrivals) {
      // A loaded broker hands over late: its count of missed runs tells of the time when a message was sent.
      const clock = Math.max(message.scheduledAt, arrivedAt - this.#brokerDelay);
      const sent = arrivedAt < message.scheduledAt ? null : { at: arrivedAt, clock };
      const attempt = this.oracle.attempted({ ...message, sent });
      attempt.arrivedAt = arrivedAt;
      // A broker confirms and hands over at about the same time; its confirm cannot be seen from here.
      attempt.confirmedAt = arrivedAt;
    }
    for (const [job, changes] of this.oracle.changes) this.#learnStamps(job, changes);
    return this.oracle.judge(horizon - 1 + this.oracle.options.lateAfter);
  }
}

/** Whether the schedule has this time, as far as its first run is known exactly. */
function has({ intervalMs, firstRun }: Plan, time: number): boolean {
  if (typeof firstRun !== 'number') return false;
  return time === firstRun || (intervalMs > 0 && time > firstRun && (time - firstRun) % intervalMs === 0);
}

/** What the request makes of the job; null for a DELETE. Its stamp was given between sending and answer. */
function planOf(asked: Asked, sentAt: number, answeredAt: number): Plan | null {
  if (asked.op === 'delete') return null;
  const since = { from: sentAt - CLOCK_TOLERANCE, to: answeredAt + CLOCK_TOLERANCE };
  const { intervalMs, firstRun } = asked;
  if (intervalMs !== null) return { intervalMs, firstRun, since };
  // A one-off whose time was past when the stamp was given runs with the stamp as its time.
  const once = { from: Math.max(firstRun, since.from), to: Math.max(firstRun, since.to) };
  return { intervalMs: 0, firstRun: once.from === once.to ? firstRun : once, since };
}

function answerOf(asked: Asked, result: Result, sentAt: number, answeredAt: number): Answer {
  const plan = planOf(asked, sentAt, answeredAt);
  switch (result) {
    case 'created':
    case 'done':
      if (plan !== null) return { result: 'stored', plan, created: result === 'created' };
      return {
        result: 'deleted',
        since: { from: sentAt - CLOCK_TOLERANCE, to: answeredAt + CLOCK_TOLERANCE },
      };
    case 'unknown':
      return { result: 'unknown', plan };
    case 'absent':
    case 'refused':
      return { result: 'refused' };
  }
}
