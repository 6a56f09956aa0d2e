import type { JobRow, Schedule } from '../job/job.ts';

/**
 * The account of what jobs take in the scheduler's memory, beside the bytes of their bodies: the row of the arena
 * (64), the entry in the queue (16), and that in the index of ids (4, at two thirds of its room). The scheduler
 * counts what there is, and main what a change will add.
 */
export const ROW_BYTES = 64;
export const SLOT_BYTES = ROW_BYTES + 16 + 4;

/** What a job whose body has so many bytes takes, about. */
export function jobBytes(bodyBytes: number): number {
  return SLOT_BYTES + Math.ceil(bodyBytes / 16) * 16;
}

/** What a job takes that has rules, or properties for its message, about: an object of its own, and their texts. */
const EXTRAS_BYTES = 500;

/** What a job takes, about. */
export function rowBytes(row: JobRow): number {
  return jobBytes((row.payload ?? row.job).length) + extrasBytes(row);
}

/** What it takes of that for its rules and the properties of its message. */
export function extrasBytes({ schedule, message }: JobRow): number {
  const texts = message === undefined ? 0 : 2 * JSON.stringify(message).length;
  return hasExtras(schedule, message) ? EXTRAS_BYTES + texts : 0;
}

/** Whether a job has more than an interval and a first run. */
export function hasExtras(schedule: Schedule, message: JobRow['message']): boolean {
  return (
    schedule.kind === 'calendar' || schedule.kind === 'cron' || (schedule.rules ?? message) !== undefined
  );
}
