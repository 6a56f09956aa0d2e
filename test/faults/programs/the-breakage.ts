import { type BreakageName, createBreakage } from '../../breakages/breakages.ts';
import { compose, HOLDS, type HoldName } from './holds.ts';

/** By how much the wall clock of this process is ahead of the machine's, ms. */
export const CLOCK_OFFSET = Number(process.env.TEST_CLOCK_OFFSET ?? 0);

/** The wall clock, Unix ms. */
export function wall(): number {
  return Date.now() + CLOCK_OFFSET;
}

/** The breakage, and what is held up, as the environment of this process names them; nothing by default. */
export function theBreakage(): ReturnType<typeof compose> {
  const { TEST_BREAKAGE: name = '', TEST_HOLD: hold = 'nothing' } = process.env;
  const breakage = name === '' ? {} : createBreakage(name as BreakageName, { now: wall });
  return compose(HOLDS[hold as HoldName](), breakage);
}
