import fc from 'fast-check';
import { Outcome, type OutcomeCode } from '../../src/protocol/scheduler-publisher.ts';

/** One thing that happens to a scheduler. Jobs are named by a small number, so that most commands meet others. */
export type Command =
  | { readonly do: 'pass'; readonly ms: number }
  /** The thread stands still for so long. */
  | { readonly do: 'stall'; readonly ms: number }
  /** Creates the job, or plans it anew. */
  | {
      readonly do: 'put';
      readonly name: number;
      readonly oneOff: boolean;
      readonly interval: number;
      /** ms from the stamp to the first run, which may be past. */
      readonly offset: number;
      /** First runs at multiples of 10 ms, so that the times of different schedules meet. */
      readonly aligned: boolean;
      /** How long ago main gave the stamp, ms. */
      readonly lag: number;
    }
  /** A change that leaves the schedule as it is. */
  | { readonly do: 'touch'; readonly name: number; readonly key: string }
  | { readonly do: 'pause'; readonly name: number }
  | { readonly do: 'resume'; readonly name: number; readonly lag: number }
  | { readonly do: 'remove'; readonly name: number }
  /** Main hears of jobs that have settled for good, and deletes their rows. */
  | { readonly do: 'delete settled' }
  /** A publisher answers one of its batches; outcomes are used in turn. */
  | { readonly do: 'answer'; readonly batch: number; readonly outcomes: readonly OutcomeCode[] }
  /** A publisher tells late, or early, what became of a message. */
  | { readonly do: 'report'; readonly message: number; readonly outcome: OutcomeCode }
  | { readonly do: 'lose the thread' }
  | { readonly do: 'connect'; readonly connected: boolean }
  | { readonly do: 'exchange'; readonly usable: boolean }
  | { readonly do: 'trust'; readonly ms: number }
  | { readonly do: 'checkpoint' }
  /** The process is killed and started again, after so long. */
  | { readonly do: 'crash'; readonly ms: number; readonly shuffle: number }
  | {
      readonly do: 'stop';
      readonly ms: number;
      readonly shuffle: number;
      readonly outcomes: readonly OutcomeCode[];
    }
  /** Rows of the snapshot come in. */
  | { readonly do: 'load'; readonly rows: number };

const name = fc.integer({ min: 0, max: 2 });
const lag = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 40 }));
const ended = fc.constantFrom<OutcomeCode>(
  Outcome.confirmed,
  Outcome.confirmed,
  Outcome.returned,
  Outcome.rerouted,
  Outcome.nacked,
  Outcome.lost,
  Outcome.unsent,
);
const outcome = fc.oneof(
  { weight: 1, arbitrary: fc.constant<OutcomeCode>(Outcome.pending) },
  { weight: 4, arbitrary: ended },
);
const outcomes = (each: fc.Arbitrary<OutcomeCode>) => fc.array(each, { minLength: 1, maxLength: 3 });
const shuffle = fc.nat({ max: 5 });

function of<K extends Command['do']>(
  weight: number,
  kind: K,
  fields: {
    [F in Exclude<keyof Extract<Command, { do: K }>, 'do'>]: fc.Arbitrary<Extract<Command, { do: K }>[F]>;
  },
): { weight: number; arbitrary: fc.Arbitrary<Command> } {
  const arbitrary = fc.record({ do: fc.constant(kind), ...fields }) as unknown as fc.Arbitrary<Command>;
  return { weight, arbitrary };
}

const command: fc.Arbitrary<Command> = fc.oneof(
  of(10, 'pass', { ms: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 150 })) }),
  of(3, 'stall', { ms: fc.integer({ min: 1, max: 60 }) }),
  of(9, 'put', {
    name,
    oneOff: fc.boolean(),
    interval: fc.constantFrom(1, 5, 10, 20, 30),
    offset: fc.integer({ min: -30, max: 30 }),
    aligned: fc.boolean(),
    lag,
  }),
  of(3, 'touch', { name, key: fc.constantFrom('a', 'b') }),
  of(2, 'pause', { name }),
  of(3, 'resume', { name, lag }),
  of(2, 'remove', { name }),
  of(2, 'delete settled', {}),
  of(8, 'answer', { batch: fc.nat({ max: 3 }), outcomes: outcomes(outcome) }),
  of(5, 'report', { message: fc.nat({ max: 5 }), outcome: ended }),
  of(1, 'lose the thread', {}),
  of(2, 'connect', { connected: fc.boolean() }),
  of(2, 'exchange', { usable: fc.boolean() }),
  of(1, 'trust', { ms: fc.constantFrom(0, 10, Number.POSITIVE_INFINITY) }),
  of(3, 'checkpoint', {}),
  of(1, 'crash', { ms: fc.integer({ min: 0, max: 40 }), shuffle }),
  of(1, 'stop', { ms: fc.integer({ min: 0, max: 40 }), shuffle, outcomes: outcomes(ended) }),
  of(2, 'load', { rows: fc.integer({ min: 1, max: 4 }) }),
);

/** Whatever may happen, to a few jobs. */
export const anything: fc.Arbitrary<Command[]> = fc.array(command, {
  minLength: 1,
  maxLength: 60,
  size: 'max',
});

/**
 * One job that is changed over and over within a few ms, so that the times of its schedules meet in the queue, in
 * flight and among those that have run.
 */
const change: fc.Arbitrary<Command> = fc.oneof(
  of(6, 'pass', { ms: fc.integer({ min: 0, max: 4 }) }),
  of(2, 'stall', { ms: fc.integer({ min: 1, max: 4 }) }),
  of(8, 'put', {
    name: fc.constant(0),
    oneOff: fc.constantFrom(false, false, true),
    interval: fc.constantFrom(1, 2, 3),
    offset: fc.integer({ min: -3, max: 3 }),
    aligned: fc.constant(false),
    lag: fc.integer({ min: 0, max: 8 }),
  }),
  of(1, 'touch', { name: fc.constant(0), key: fc.constantFrom('a', 'b') }),
  of(1, 'pause', { name: fc.constant(0) }),
  of(2, 'resume', { name: fc.constant(0), lag: fc.integer({ min: 0, max: 8 }) }),
  of(4, 'answer', { batch: fc.nat({ max: 2 }), outcomes: outcomes(outcome) }),
  of(4, 'report', { message: fc.nat({ max: 3 }), outcome: ended }),
  of(1, 'connect', { connected: fc.boolean() }),
);

export const changesOfOne: fc.Arbitrary<Command[]> = fc.array(change, {
  minLength: 1,
  maxLength: 30,
  size: 'max',
});
