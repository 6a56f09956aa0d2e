import { type Change, earliest, latest, type Plan, type Time } from './events.ts';

/** How a schedule ended. */
export type End = {
  readonly kind: 'deleted' | 'replaced';
  readonly askedAt: number;
  /** From here on what was not in flight must not come; null where nobody was told. */
  readonly answeredAt: number | null;
  readonly since: Time;
};

/** A schedule that a job had for a while. */
export type Era = {
  readonly plan: Plan;
  readonly askedAt: number;
  end: End | null;
};

export type History = {
  readonly eras: readonly Era[];
  /** How many jobs of this key there were, one after another. */
  readonly created: number;
};

/** Of changes whose outcome was never known at most this many are tried both ways. */
const MOST_UNKNOWN = 6;

/** All that may have happened to a job: one history, and twice as many for each change that nobody knows of. */
export function* histories(changes: readonly Change[]): Generator<History> {
  const unknown = changes.filter(({ answer, applied }) => answer.result === 'unknown' && applied === null);
  const worlds = 2 ** Math.min(unknown.length, MOST_UNKNOWN);
  for (let world = 0; world < worlds; world++) {
    yield build(changes, (change) => change.applied ?? ((world >> unknown.indexOf(change)) & 1) === 1);
  }
}

function build(changes: readonly Change[], isApplied: (change: Change) => boolean): History {
  const eras: Era[] = [];
  let created = 0;
  for (const change of changes) {
    const { answer, askedAt, answeredAt } = change;
    const current = eras.at(-1)?.end === null ? eras.at(-1)! : null;
    const finish = (kind: End['kind'], since: Time, told: number | null) => {
      if (current !== null) current.end = { kind, askedAt, answeredAt: told, since };
    };
    switch (answer.result) {
      case 'stored':
        if (answer.created) created++;
        finish('replaced', answer.plan.since, answeredAt);
        eras.push({ plan: answer.plan, askedAt, end: null });
        break;
      case 'deleted':
        finish('deleted', answer.since, answeredAt);
        break;
      case 'unknown':
        if (!isApplied(change)) break;
        if (answer.plan === null) {
          finish('deleted', { from: askedAt, to: answeredAt }, change.settledAt);
        } else {
          // It may have been a new job, too.
          created++;
          finish('replaced', answer.plan.since, change.settledAt);
          eras.push({ plan: answer.plan, askedAt, end: null });
        }
        break;
      case 'kept':
      case 'refused':
        break;
    }
  }
  return { eras, created };
}

/** Whether `time` can be one of the plan's times, whoever it was owed to. */
export function isOnPlan({ intervalMs, firstRun, rules }: Plan, time: number): boolean {
  if (rules !== undefined) return rules.times.firstAtOrAfter(time) === time;
  const from = earliest(firstRun);
  const to = latest(firstRun);
  if (time < from) return false;
  if (intervalMs === 0) return time <= to;
  return from + ((time - from) % intervalMs) <= to;
}

/** Its times from one on, and before another. */
export function* timesOf(
  { intervalMs, firstRun, rules }: Plan,
  from: number,
  until: number,
): Generator<number> {
  const first = firstRun as number;
  const next = (time: number): number => {
    if (rules !== undefined) return rules.times.firstAtOrAfter(time);
    if (intervalMs === 0) return time <= first ? first : Number.POSITIVE_INFINITY;
    return first + Math.max(0, Math.ceil((time - first) / intervalMs)) * intervalMs;
  };
  for (let time = next(intervalMs === 0 ? first : from); time < until; time = next(time + 1)) yield time;
}

/** From a time of the plan to the next one, ms: 0 when there is none. */
export function gapAfter({ intervalMs, rules }: Plan, time: number): number {
  if (rules === undefined) return intervalMs;
  const next = rules.times.firstAtOrAfter(time + 1);
  return next === Number.POSITIVE_INFINITY ? 0 : next - time;
}

/** The time that is so many before one of the plan's. */
export function stepBack({ intervalMs, rules }: Plan, time: number, count: number): number {
  if (rules === undefined) return time - count * intervalMs;
  let earlier = time;
  for (let left = count; left > 0; left--) earlier = rules.times.lastAtOrBefore(earlier - 1);
  return earlier;
}

/** The plan with its first run made exact by what came, where it was not. @param times scheduled times that came */
export function learn(plan: Plan, times: readonly number[]): Plan {
  const { firstRun, intervalMs } = plan;
  if (typeof firstRun === 'number') return plan;
  const votes = new Map<number, number>();
  let best = firstRun.to;
  for (const time of times) {
    if (!isOnPlan(plan, time)) continue;
    const first = intervalMs === 0 ? time : firstRun.from + ((time - firstRun.from) % intervalMs);
    const count = (votes.get(first) ?? 0) + 1;
    votes.set(first, count);
    if (count > (votes.get(best) ?? 0)) best = first;
  }
  return { ...plan, firstRun: best };
}
