import type { PrivateMysql, PrivateRabbitmq } from '../../src/quickstart/private-servers.ts';

/** One figure of a row. */
export type Figure = {
  /** What was measured, as in the table: `lateness p99`. */
  readonly name: string;
  readonly value: number;
  /** `ms`, `core`, `bytes/job`, `messages/s`, `x` for a ratio. */
  readonly unit: string;
  /** What it must reach and what it aims at, with the side on which the good values lie; none for what is only shown. */
  readonly goal?: { readonly must: number; readonly aim: number; readonly good: 'at most' | 'at least' };
};

/** A distribution for the plot: how many values (of ms) lie in each bucket of a width of one ms, the last one open. */
export type Distribution = { readonly name: string; readonly counts: readonly number[] };

export type Measured = {
  readonly figures: readonly Figure[];
  /** Each round of each side, as measured: whoever doubts a median looks here. */
  readonly rounds: readonly Readonly<Record<string, number>>[];
  readonly distributions?: readonly Distribution[];
};

/** What a row is given. */
export type Bench = {
  /** Private servers of this run. */
  readonly mysql: PrivateMysql;
  readonly rabbitmq: PrivateRabbitmq;
  /** 1 in earnest; less for a trial: sizes and times are multiplied by it. Figures of a trial count for nothing. */
  readonly scale: number;
  /** How often A and B are measured in turns. */
  readonly rounds: number;
  /** A line of progress, to stderr. */
  readonly say: (line: string) => void;
};

/** A row of the table: `npm run bench -- NAME` runs it alone. */
export type Row = {
  readonly name: string;
  /** How it is measured, in one sentence. */
  readonly how: string;
  readonly run: (bench: Bench) => Promise<Measured>;
};
