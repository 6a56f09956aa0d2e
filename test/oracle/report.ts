import type { Attempt } from './events.ts';

export const VERDICTS = [
  ...(['lost', 'repeated', 'early', 'late', 'stale', 'phantom', 'unexpected', 'message_id'] as const),
] as const;
export type Verdict = (typeof VERDICTS)[number];

export type Finding = {
  readonly verdict: Verdict;
  readonly job: string;
  /** The occurrence, Unix ms. */
  readonly scheduledAt: number;
  /** For a person. */
  readonly detail: string;
};

export class Report {
  readonly findings: Finding[] = [];
  /** Occurrences that must have run, and what became of them. */
  readonly counts = {
    expected: 0,
    /** One message was matched to each. */
    matched: 0,
    /** A later one of the same job stands for it. */
    superseded: 0,
    /** It was missed, and its job does not make up for it. */
    skipped: 0,
    /** The job was changed or deleted before it could be sent. */
    cancelled: 0,
    /** Extra messages that could not be avoided. */
    repeatedExcused: 0,
    messages: 0,
    /** Times that runs by hand and backfills had to publish, and the messages that came of them. */
    spanExpected: 0,
    spanMessages: 0,
  };

  get ok(): boolean {
    return this.findings.length === 0;
  }

  count(verdict: Verdict): number {
    return this.findings.filter((finding) => finding.verdict === verdict).length;
  }

  find(verdict: Verdict, job: string, scheduledAt: number, detail: string): void {
    this.findings.push({ verdict, job, scheduledAt, detail });
  }

  /** A table for a person: what was counted, and the first findings. */
  toString(): string {
    const counts = Object.entries(this.counts).map(([name, count]) => `${name} ${count}`);
    const verdicts = VERDICTS.map((verdict) => `${verdict} ${this.count(verdict)}`);
    const findings = this.findings
      .slice(0, 20)
      .map(({ verdict, job, scheduledAt, detail }) => `  ${verdict}: ${job} at ${scheduledAt}: ${detail}`);
    return [counts.join(', '), verdicts.join(', '), ...findings].join('\n');
  }
}

/** The first message of each scheduled time and those after it, in the order of their arrival. */
export function byTime(attempts: readonly Attempt[]): Map<number, Attempt[]> {
  const times = new Map<number, Attempt[]>();
  for (const attempt of attempts) {
    if (attempt.arrivedAt === null) continue;
    const group = times.get(attempt.scheduledAt);
    if (group === undefined) times.set(attempt.scheduledAt, [attempt]);
    else group.push(attempt);
  }
  for (const group of times.values()) group.sort((a, b) => a.arrivedAt! - b.arrivedAt!);
  return times;
}
