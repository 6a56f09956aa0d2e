import type { JobRow, MessageOptions } from '../job/job.ts';
import type { Misfire } from '../job/misfire.ts';
import { type Timetable, timetableOf } from '../job/timetable.ts';
import { extrasBytes, hasExtras } from '../protocol/job-memory.ts';

/** What a job has beside an interval and a first run: an object on the heap, for the few jobs that have it. */
export type Extras = {
  /** When it runs, and what becomes of missed times; null where interval and first run tell. */
  readonly misfire: Misfire | null;
  readonly message: MessageOptions | undefined;
  /** Bytes, about. */
  readonly bytes: number;
};

/** Where exclusions make it count one by one: a run tells of at most so many that it stands for. */
const COUNT_LIMIT = 10_000;

/**
 * @throws DalgaError when the schedule cannot be told any more, though it could when it was stored: a time zone that is
 *   gone from Node.js's data, say
 */
export function extrasOf(row: JobRow): Extras | null {
  const { schedule, message } = row;
  if (!hasExtras(schedule, message)) return null;
  return { misfire: misfireOf(row), message, bytes: extrasBytes(row) };
}

function misfireOf({ id, schedule }: JobRow): Misfire | null {
  const { kind, rules } = schedule;
  if (rules === undefined && (kind === 'interval' || kind === 'one_off')) return null;
  const timetable: Timetable = timetableOf(schedule, id);
  const stepped = rules?.exclude !== undefined;
  return {
    timetable,
    policy: rules?.misfire ?? 'once',
    age: rules?.misfireAge ?? Number.POSITIVE_INFINITY,
    countLimit: stepped ? COUNT_LIMIT : Number.POSITIVE_INFINITY,
    countedThrough: Number.NEGATIVE_INFINITY,
  };
}
