import type { BreakageName } from '../breakages/breakages.ts';
import type { Choices } from './choices.ts';

const OFTEN = { faultPause: 400, changePause: 60 } as const;

/** Kills at the moments at which a change is written, posted or taken in, over slow ports. */
const ROUND_CHANGES: Partial<Choices> = {
  ...OFTEN,
  ...{
    faults: ['kill at a commit', 'scheduler stalls'],
    portDelay: 60,
    atOnce: 0.7,
    checkpointInterval: 100,
  },
};

const OTHER_CLOCKS: Partial<Choices> = {
  ...{ faults: ['kill', 'stop'], instances: 2, skew: 20_000, atOnce: 0.7, lease: 2000 },
  ...{ faultPause: 1200, changePause: 200 },
};

const LOADS: Partial<Choices> = { ...OFTEN, faults: ['kill', 'stop', 'kill in a load'], loadBreaks: 0.3 };

const DISPATCH: Partial<Choices> = {
  ...OFTEN,
  faults: ['kill', 'kill at a write', 'kill at a message', 'broker crash', 'bad route'],
};

const BACKFILLS: Partial<Choices> = {
  ...{ faults: ['kill', 'kill at a message', 'broker crash'], faultPause: 400 },
  ...{ changePause: 600, spanPause: 100, step: 0 },
};

/** What runs are like in which a breakage shows soon; what it leaves open is left to chance. */
export const FOCUS: Readonly<Record<BreakageName, Partial<Choices>>> = {
  'watermark one ms ahead': DISPATCH,
  'watermark one batch ahead': DISPATCH,
  'watermark not capped by unacknowledged stamps': ROUND_CHANGES,
  'a report taken as later than it is': ROUND_CHANGES,
  'the frontier moves during the load': LOADS,
  'exceptions ignored at recovery': DISPATCH,
  'exceptions forgotten while the broker is away': DISPATCH,
  'answer before commit': { ...OFTEN, faults: ['kill at an answer', 'mysql statements fail', 'mysql crash'] },
  'DELETE answered before the acknowledgement': { ...OFTEN, portDelay: 60 },
  'settle before confirm': DISPATCH,
  'a lost COMMIT taken for a rollback': { ...OFTEN, faults: ['mysql statements fail', 'mysql crash'] },
  'no fence': { ...OFTEN, faults: ['mysql partition', 'freeze'], instances: 2, lease: 2000 },
  'stamps that are plain now': OTHER_CLOCKS,
  'stamps that start anew with a new owner': OTHER_CLOCKS,
  'a loader without versions': LOADS,
  'a loader without tombstones': LOADS,
  'a delete by id only': { ...OFTEN, faults: ['mysql statements fail'] },
  'a backfill ahead of what is confirmed': BACKFILLS,
  // So slow that a checkpoint comes while it goes on.
  'a backfill whose progress is not written': { ...BACKFILLS, backfillRate: 2 },
};
