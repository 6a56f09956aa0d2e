import { EXCEPTIONS_LIMIT } from '../job/exceptions.ts';

/** How much the scheduler takes on at a time. */
export type Limits = {
  /** Messages in one batch. */
  readonly batch: number;
  /** Messages that publishers may have unconfirmed in all. */
  readonly unconfirmed: number;
  /** Entries of a checkpoint's list. */
  readonly exceptions: number;
};

export const LIMITS: Limits = { batch: 500, unconfirmed: 100_000, exceptions: EXCEPTIONS_LIMIT };
