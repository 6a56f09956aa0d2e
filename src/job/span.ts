import { DalgaError, invalidParameter } from '../errors.ts';
import type { JobRow } from './job.ts';
import { formatExact } from './rfc3339.ts';
import { timetableOf } from './timetable.ts';

/**
 * A span: messages of a job beside its schedule, asked for by hand. A run is one message, a backfill those of all
 * scheduled times in a part of the past. It has no copy of the job: each message is the job's as it is then.
 */
export type Span = SpanProgress & {
  readonly jobId: number;
  readonly kind: 'run' | 'backfill';
  /** Unix ms: the scheduled times from `from` on, and before `to`. Null for a run. */
  readonly from: number | null;
  readonly to: number | null;
  /** Stamp of the request, Unix ms. Of a run it is the time that its message carries. */
  readonly created: number;
};

/** How far a span has come. */
export type SpanProgress = {
  /** Unique for ever, among the jobs' too: the last part of its messages' ids. */
  readonly id: number;
  /** Unix ms: every time before it is published. */
  readonly position: number;
  /** Times after it that are published too. */
  readonly ahead: readonly number[];
  /** Messages that were published so far. */
  readonly published: number;
};

/** Spans of one table that may be open. */
export const SPANS_LIMIT = 1000;

/** Scheduled times in a backfill. */
export const OCCURRENCES_LIMIT = 100_000;

/** @param stamp Unix ms */
export function planRun(row: JobRow, stamp: number, id: number): Span {
  return {
    ...{ id, jobId: row.id, kind: 'run', from: null, to: null },
    ...{ position: stamp, ahead: [], published: 0, created: stamp },
  };
}

/** @param stamp Unix ms. @throws DalgaError invalid_parameter */
export function planBackfill(
  { id: jobId, schedule }: JobRow,
  { from, to }: { readonly from: number; readonly to: number },
  stamp: number,
  id: number,
): Span {
  if (schedule.kind === 'one_off') {
    throw new DalgaError(
      'invalid_parameter',
      'a one-off job has no schedule to go back in: run it with POST /jobs/{routing_key}/{job}/run',
    );
  }
  if (to > stamp) throw invalidParameter('to', 'must not be in the future');
  const timetable = timetableOf(schedule, jobId);
  const position = timetable.firstAtOrAfter(from);
  if (position >= to) {
    const begins = position === Number.POSITIVE_INFINITY ? '' : `: the next is at ${formatExact(position)}`;
    throw invalidParameter('from', `and to have no run of the schedule between them${begins}`);
  }
  if (timetable.count(from, to, OCCURRENCES_LIMIT + 1) > OCCURRENCES_LIMIT) {
    throw invalidParameter('to', `must be earlier: a backfill has at most ${OCCURRENCES_LIMIT} runs`);
  }
  return { id, jobId, kind: 'backfill', from, to, position, ahead: [], published: 0, created: stamp };
}
