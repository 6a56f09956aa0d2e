import type { Forecast, ForecastRange } from './forecast.ts';
import type { JobHistory } from './history.ts';
import type { LatenessSummary } from './lateness.ts';

/**
 * What main may ask the scheduler thread, by what it is about: the question, and its answer. Both are plain data. Another
 * question is one more member here, and one more case in scheduler-thread/answers.ts.
 */
type Subjects = {
  /** The jobs whose next times come first. */
  readonly next: {
    readonly question: { readonly limit: number };
    /** In the order of their times; those that are due and were not taken yet come first. */
    readonly answer: { readonly ids: Float64Array; readonly times: Float64Array };
  };
  /** How many jobs there are. */
  readonly count: {
    readonly question: Record<never, never>;
    readonly answer: { readonly jobs: number };
  };
  /** What became of a job's runs. */
  readonly history: {
    readonly question: { readonly id: number };
    readonly answer: { readonly history: JobHistory };
  };
  /** How many runs are to come. */
  readonly forecast: {
    readonly question: { readonly range: ForecastRange };
    readonly answer: { readonly forecast: Forecast };
  };
  /** How late the messages of the last minutes were. */
  readonly lateness: {
    readonly question: Record<never, never>;
    readonly answer: { readonly summary: LatenessSummary };
  };
};

type Subject = keyof Subjects;

export type Question = {
  readonly [About in Subject]: { readonly about: About } & Subjects[About]['question'];
}[Subject];

export type Answer = {
  readonly [About in Subject]: { readonly about: About } & Subjects[About]['answer'];
}[Subject];

/** The answer that a question gets. */
export type AnswerTo<Q extends Question> = Extract<Answer, { readonly about: Q['about'] }>;
