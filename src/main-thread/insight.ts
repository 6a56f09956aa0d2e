import type { Clock } from '../clock.ts';
import { DalgaError } from '../errors.ts';
import { createRow, type JobRequest } from '../job/change-row.ts';
import type { AddedJobs } from '../job/expected-runs.ts';
import type { JobKey, JobRow } from '../job/job.ts';
import { firstAtOrAfter } from '../job/next-run.ts';
import { END_OF_TIME } from '../job/times.ts';
import type { Forecast, ForecastRange } from '../protocol/forecast.ts';
import type { JobHistory } from '../protocol/history.ts';
import type { LatenessSummary } from '../protocol/lateness.ts';
import { forecastAdded } from './added-forecast.ts';
import type { JobService, JobView } from './job-service.ts';
import type { MetricsData } from './metric-definitions.ts';
import type { Owner } from './owner.ts';
import { explainJob } from './why.ts';

/** How long the scheduler may take for an answer, ms. */
const ANSWER_TIMEOUT = 2000;

/** A forecast gives way to what is due, ms. */
const FORECAST_TIMEOUT = 10_000;

/** What there is to know of this instance, beside its metrics. */
export type Standing = MetricsData & {
  /** The instance that owns the table, as host and address; null when it is not known. */
  readonly owner: string | null;
};

export type Status = Standing & {
  readonly lateness: LatenessSummary | null;
  readonly versions: Versions;
};

export type Versions = {
  readonly dalga: string;
  readonly node: string;
  /** Null when it cannot be asked now. */
  readonly mysql: string | null;
  readonly rabbitmq: string | null;
};

export type ExplainedJob = { readonly view: JobView; readonly history: JobHistory; readonly why: string };

/** What a person asks: when does it run, why did it not, how much is to come, how is it? It changes nothing. */
export type Insight = {
  /** The coming scheduled times, Unix ms; null when there is no such job. @throws DalgaError */
  runs(key: JobKey, count: number): Promise<readonly number[] | null>;
  /** The same of a schedule that is not stored. @param from Unix ms; null for now. @throws DalgaError as a PUT */
  preview(request: JobRequest, from: number | null, count: number): readonly number[];
  /** @throws DalgaError not_owner, not_ready */
  history(key: JobKey): Promise<ExplainedJob | null>;
  /** @throws DalgaError not_owner, not_ready */
  forecast(range: ForecastRange): Promise<Forecast>;
  /** What jobs would add that are not stored. @param now Unix ms: when they were planned */
  forecastAdded(range: ForecastRange, now: number, added: readonly AddedJobs[]): Promise<Forecast>;
  status(): Promise<Status>;
};

export type InsightOptions = {
  readonly clock: Clock;
  readonly jobs: Pick<JobService, 'get'>;
  readonly owner: () => Owner;
  readonly ownerOrNull: () => Owner | null;
  readonly standing: () => Standing;
  readonly versions: () => Promise<Versions>;
};

const NOBODY = { hash: new Uint8Array(16), routingKey: new Uint8Array(0), job: new Uint8Array(0) };

export function createInsight(options: InsightOptions): Insight {
  const { clock, jobs, owner, ownerOrNull, standing, versions } = options;
  return {
    async runs(key, count) {
      const view = await jobs.get(key);
      return view === null ? null : runsOf(view.row, clock.now(), count);
    },
    preview(request, from, count) {
      const now = Math.floor(clock.now());
      const row = createRow(NOBODY, request, now, 0);
      // Nothing is stored: of the past it is told what would have been.
      return from === null ? runsOf(row, now, count) : runsOf({ ...row, since: 0 }, from, count);
    },
    async history(key) {
      const current = owner();
      const view = await jobs.get(key);
      if (view === null) return null;
      const { history } = await current.ask({ about: 'history', id: view.row.id }, ANSWER_TIMEOUT);
      return { view, history, why: explainJob(view.row, history, clock.now()) };
    },
    async forecast(range) {
      return (await owner().ask({ about: 'forecast', range }, FORECAST_TIMEOUT)).forecast;
    },
    forecastAdded(range, now, added) {
      const pause = () => new Promise<void>((resolve) => setImmediate(resolve));
      return forecastAdded(added, range, { now, monotonic: () => clock.monotonic(), pause });
    },
    async status() {
      const current = ownerOrNull();
      const asked = current?.loaded ? current.ask({ about: 'lateness' }, ANSWER_TIMEOUT) : null;
      const lateness = await asked?.then(
        ({ summary }) => summary,
        (error: unknown) => {
          if (error instanceof DalgaError) return null;
          throw error;
        },
      );
      return { ...standing(), lateness: lateness ?? null, versions: await versions() };
    },
  };
}

/** @param from Unix ms */
function runsOf({ id, enabled, since, schedule }: JobRow, from: number, count: number): number[] {
  const runs: number[] = [];
  if (!enabled) return runs;
  let time = firstAtOrAfter(schedule, Math.max(from, since), id);
  for (
    ;
    // RFC 3339 tells no later ones.
    runs.length < count && time < END_OF_TIME;
    time = firstAtOrAfter(schedule, time + 1, id)
  ) {
    runs.push(time);
  }
  return runs;
}
