import type { Rules, Schedule } from '../../src/job/job.ts';

/** Schedules for tests, in short. */

export function every(seconds: number, rules?: Rules, firstRun = 0): Schedule {
  return {
    kind: 'interval',
    intervalMs: seconds * 1000,
    intervalText: null,
    firstRun,
    anchored: true,
    rules,
  };
}

export function once(firstRun: number, rules?: Rules): Schedule {
  return { kind: 'one_off', intervalMs: null, intervalText: null, firstRun, anchored: true, rules };
}

export function cron(text: string, rules?: Rules, firstRun = 0): Schedule {
  return { kind: 'cron', intervalMs: null, intervalText: null, cron: text, firstRun, anchored: false, rules };
}

export function calendar(text: string, firstRun: number, rules?: Rules): Schedule {
  return { kind: 'calendar', intervalMs: null, intervalText: text, firstRun, anchored: true, rules };
}

/** Unix ms of a time in RFC 3339 or a date. */
export const at = (text: string): number => Date.parse(text);

/** Unix ms as a time in UTC, without ms where there are none. */
export const show = (time: number): string =>
  Number.isFinite(time) ? new Date(time).toISOString().replace('.000Z', 'Z') : String(time);
