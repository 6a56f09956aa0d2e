import type { Breakage } from './breakage.ts';
import { spansAhead, spansNotWritten } from './spans.ts';
import { stampsArePlainNow, stampsStartAnew } from './stamps.ts';
import { answerBeforeCommit, deletionByIdOnly, lostCommitIsRollback, noFence } from './store.ts';
import {
  deleteAnsweredEarly,
  loaderWithoutTombstones,
  loaderWithoutVersions,
  settleBeforeConfirm,
} from './threads.ts';
import {
  exceptionsForgotten,
  exceptionsIgnored,
  frontierMovesDuringLoad,
  reportTakenAsLater,
  watermarkNotCapped,
  watermarkOneBatchAhead,
  watermarkOneMsAhead,
} from './watermark.ts';

/** What a breakage may be given: main's clock, Unix ms. */
export type BreakageContext = { readonly now: () => number };

/** Every deliberate breakage by its name. */
export const BREAKAGES = {
  'watermark one ms ahead': watermarkOneMsAhead,
  'watermark one batch ahead': watermarkOneBatchAhead,
  'watermark not capped by unacknowledged stamps': watermarkNotCapped,
  'a report taken as later than it is': reportTakenAsLater,
  'the frontier moves during the load': ({ now }) => frontierMovesDuringLoad(now),
  'exceptions ignored at recovery': exceptionsIgnored,
  'exceptions forgotten while the broker is away': exceptionsForgotten,
  'answer before commit': answerBeforeCommit,
  'DELETE answered before the acknowledgement': deleteAnsweredEarly,
  'settle before confirm': settleBeforeConfirm,
  'a lost COMMIT taken for a rollback': lostCommitIsRollback,
  'no fence': noFence,
  'stamps that are plain now': ({ now }) => stampsArePlainNow(now),
  'stamps that start anew with a new owner': stampsStartAnew,
  'a loader without versions': loaderWithoutVersions,
  'a loader without tombstones': loaderWithoutTombstones,
  'a delete by id only': deletionByIdOnly,
  'a backfill ahead of what is confirmed': spansAhead,
  'a backfill whose progress is not written': spansNotWritten,
} as const satisfies Readonly<Record<string, (context: BreakageContext) => Breakage>>;

export type BreakageName = keyof typeof BREAKAGES;

export function createBreakage(name: BreakageName, context: BreakageContext): Breakage {
  return (BREAKAGES[name] as (context: BreakageContext) => Breakage)(context);
}
