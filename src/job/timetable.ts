import type { Schedule } from './job.ts';
export type Timetable = {
  firstAtOrAfter(time: number): number;
  lastAtOrBefore(time: number): number;
  count(from: number, until: number, limit: number): number;
};
export function timetableOf(_schedule: Schedule, _id: number): Timetable {
  throw new Error('not yet');
}
export function checkSchedule(_schedule: Schedule): void {}
export function endOf(_schedule: Schedule, _since: number, _id: number): number | null {
  return null;
}
