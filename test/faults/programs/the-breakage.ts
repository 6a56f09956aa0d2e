import type { Breakage } from '../../breakages/breakage.ts';
import { BREAKAGES, type BreakageName } from './breakages.ts';

/** The breakage that the environment of this process names; none by default. */
export function theBreakage(): Breakage {
  const name = process.env.TEST_BREAKAGE;
  return name === undefined ? {} : BREAKAGES[name as BreakageName]();
}
