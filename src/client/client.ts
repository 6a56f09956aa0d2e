import {
  type AskOptions,
  callOf,
  conditions,
  type ManyOptions,
  type Match,
  many,
  orNull,
  type Pace,
  type Tagged,
} from './calls.ts';
import { InvalidArgument } from './errors.ts';
import type { ImportSource } from './import-source.ts';
import { pathOf, plainParameters, segmentOf } from './request.ts';
import { chunksOf, eventsOf, linesOf } from './streams.ts';
import { exportBytes, type ImportOptions, importJobs } from './transfer.ts';
import { type CallOptions, type ClientOptions, Transport } from './transport.ts';
import type {
  Forecast,
  ForecastParameters,
  ForecastSchedule,
  ForecastWith,
  History,
  PreviewedRuns,
  PreviewParameters,
  Runs,
  RunsParameters,
  Status,
} from './types/insight.ts';
import type {
  ChangeParameters,
  ImportTotals,
  Job,
  JobFilters,
  JobLine,
  JobName,
  JobPage,
  ListParameters,
  ManyChanged,
  ManyDeleted,
  PutParameters,
} from './types/jobs.ts';
import type { Backfill, BackfillParameters, Backfills, DalgaEvent, EventFilters } from './types/runs.ts';

export type { ManyOptions, Match, Pace, Tagged } from './calls.ts';
export { type DalgaMessage, type DeliveredMessage, parseMessage } from './consumer.ts';
export { Deduplicator, type DeduplicatorOptions } from './deduplicator.ts';
export {
  DalgaProblem,
  DalgaUnreachable,
  ImportEnded,
  InvalidArgument,
  NotDalga,
  type Problem,
  type ProblemCode,
} from './errors.ts';
export type { ImportSource } from './import-source.ts';
export type { ImportOptions } from './transfer.ts';
export type { CallOptions, ClientOptions } from './transport.ts';
export type * from './types/insight.ts';
export type * from './types/jobs.ts';
export type * from './types/runs.ts';

const JOB = ['job', 'routing_key', 'interval', 'next_run'] as const;
const BACKFILL = ['id', 'kind', 'published'] as const;
const FORECAST = ['from', 'step', 'steps', 'routes'] as const;

/**
 * The HTTP API of Dalga. Each method rejects with a DalgaProblem when Dalga refuses, a DalgaUnreachable when there is no
 * answer, a NotDalga when something else answers at the URL, an InvalidArgument (a TypeError) for what cannot be sent, and the
 * reason of its signal.
 */
export class DalgaClient {
  readonly #transport: Transport;

  /** @throws InvalidArgument for a URL that cannot be one of Dalga */
  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
  }

  /** Creates or replaces a job; an equal one keeps its phase. `onlyCreate`: refused (412) when it is there. */
  async put(
    name: JobName,
    parameters: PutParameters,
    { onlyCreate = false, ifMatch, ...options }: CallOptions & Match & { readonly onlyCreate?: boolean } = {},
  ): Promise<Tagged & { readonly created: boolean }> {
    const headers = { ...conditions(ifMatch), ...(onlyCreate ? { 'if-none-match': '*' } : {}) };
    const { status, ...tagged } = await this.#job('PUT', name, { body: parameters, headers, ...options });
    return { ...tagged, created: status === 201 };
  }

  /** Null when there is no such job. */
  async get(name: JobName, options: CallOptions = {}): Promise<Tagged | null> {
    const found = await orNull(this.#job('GET', name, options));
    return found && { job: found.job, etag: found.etag };
  }

  /** Changes what is named, and leaves the rest; null takes away what is stored. */
  async change(
    name: JobName,
    parameters: ChangeParameters,
    { ifMatch, ...options }: CallOptions & Match = {},
  ): Promise<Tagged> {
    const headers = conditions(ifMatch);
    const { job, etag } = await this.#job('PATCH', name, { body: parameters, headers, ...options });
    return { job, etag };
  }

  /** Resolves once only what was on its way already can still arrive. `note`: why. */
  pause(
    name: JobName,
    { note, ...options }: CallOptions & Match & { readonly note?: string } = {},
  ): Promise<Tagged> {
    return this.change(name, { enabled: false, ...(note === undefined ? {} : { note }) }, options);
  }

  /** The job goes on at its phase. */
  resume(name: JobName, options: CallOptions & Match = {}): Promise<Tagged> {
    return this.change(name, { enabled: true, note: null }, options);
  }

  /**
   * What a consumer answers to a feed that asks for less. Takes a message of Dalga's as the name. An `interval` counts
   * from now; with `notBefore` the phase is kept. Null when the job is gone by now.
   */
  async pace(
    name: JobName,
    { interval, notBefore }: Pace,
    options: CallOptions = {},
  ): Promise<Tagged | null> {
    if (interval === undefined && notBefore === undefined) {
      throw new InvalidArgument('a pace has an interval, notBefore, or both');
    }
    const change = {
      ...(interval !== undefined && { interval }),
      ...(notBefore !== undefined && { not_before: notBefore }),
    };
    return orNull(this.change(name, change, options));
  }

  /** False when there was no such job. */
  async delete(name: JobName, { ifMatch, ...options }: CallOptions & Match = {}): Promise<boolean> {
    const call = { ...{ method: 'DELETE', path: pathOf(name), headers: conditions(ifMatch) }, ...options };
    return (await orNull(this.#transport.nothing(call).then(() => true))) ?? false;
  }

  /** One page of the jobs that the filters mean. */
  list(parameters: ListParameters = {}, options: CallOptions = {}): Promise<JobPage> {
    return this.#ask<JobPage>('GET', '/jobs', ['jobs', 'next'], { query: parameters, ...options });
  }

  /** All jobs that the filters mean, a page after the other. */
  async *listAll(filters: JobFilters = {}, options: CallOptions = {}): AsyncGenerator<Job, void, undefined> {
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page: JobPage = await this.list({ ...filters, limit: 1000, ...(cursor && { cursor }) }, options);
      yield* page.jobs;
      cursor = page.next;
    }
  }

  /** Changes all jobs that the filters mean, each as by `change`; without a filter it is refused. */
  changeMany(
    filters: JobFilters,
    parameters: ChangeParameters,
    { dryRun, ...options }: ManyOptions = {},
  ): Promise<ManyChanged> {
    const query = many(filters, dryRun);
    return this.#ask('PATCH', '/jobs', ['matched', 'changed'], { query, body: parameters, ...options });
  }

  /** Deletes all jobs that the filters mean; without a filter it is refused. */
  deleteMany(filters: JobFilters, { dryRun, ...options }: ManyOptions = {}): Promise<ManyDeleted> {
    const query = many(filters, dryRun);
    return this.#ask('DELETE', '/jobs', ['matched', 'deleted'], { query, ...options });
  }

  /**
   * Stores jobs of any number, each as by `put`, whatever becomes of the others. Needs a fetch that streams what it sends:
   * Node.js, and Chromium over HTTP/2.
   *
   * @throws ImportEnded when Dalga could not go on, and what the source throws
   */
  import(jobs: ImportSource, options: ImportOptions = {}): Promise<ImportTotals> {
    return importJobs(this.#transport, jobs, options);
  }

  /** All jobs that the filters mean, in no order, in the form that `import` takes. */
  async *export(
    filters: JobFilters = {},
    options: CallOptions = {},
  ): AsyncGenerator<JobLine, void, undefined> {
    for await (const line of linesOf(this.exportBytes(filters, options))) yield JSON.parse(line) as JobLine;
  }

  /** The same as NDJSON, for a file. */
  exportBytes(
    filters: JobFilters = {},
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    return exportBytes(this.#transport, filters, options);
  }

  /** The coming scheduled times, 20 where no count is given. */
  async next(
    name: JobName,
    { count, ...options }: CallOptions & RunsParameters = {},
  ): Promise<readonly string[]> {
    const path = `${pathOf(name)}/next`;
    return (await this.#ask<Runs>('GET', path, ['runs'], { query: { count }, ...options })).runs;
  }

  /** Those of a schedule that is not stored. */
  async preview(parameters: PreviewParameters, options: CallOptions = {}): Promise<readonly string[]> {
    const path = '/schedules/preview';
    return (await this.#ask<PreviewedRuns>('POST', path, ['runs'], { body: parameters, ...options })).runs;
  }

  /** Why it ran, or did not. */
  history(name: JobName, options: CallOptions = {}): Promise<History> {
    return this.#ask('GET', `${pathOf(name)}/history`, ['why', 'entries'], options);
  }

  /** How many messages are to come. */
  forecast(parameters: ForecastParameters = {}, options: CallOptions = {}): Promise<Forecast> {
    return this.#ask('GET', '/forecast', FORECAST, { query: parameters, ...options });
  }

  /** The same, and beside it what jobs would add that are not stored. */
  forecastWith(
    schedules: readonly ForecastSchedule[],
    parameters: ForecastParameters = {},
    options: CallOptions = {},
  ): Promise<ForecastWith> {
    const body = { ...parameters, schedules: schedules.map(plainParameters) };
    return this.#ask('POST', '/forecast', [...FORECAST, 'added'], { body, ...options });
  }

  status(options: CallOptions = {}): Promise<Status> {
    return this.#ask('GET', '/status', ['lease', 'lateness', 'balance', 'memory', 'versions'], options);
  }

  /** Runs a job now, beside its schedule. Resolves once that is stored, and not when the message is published. */
  run(name: JobName, options: CallOptions = {}): Promise<Backfill> {
    return this.#ask('POST', `${pathOf(name)}/run`, BACKFILL, options);
  }

  /** Publishes the runs of a past span again. Resolves once that is stored. */
  backfill(name: JobName, span: BackfillParameters, options: CallOptions = {}): Promise<Backfill> {
    return this.#ask('POST', `${pathOf(name)}/backfill`, BACKFILL, { query: span, ...options });
  }

  /** The runs by hand and backfills that are not done. */
  async backfills(options: CallOptions = {}): Promise<readonly Backfill[]> {
    return (await this.#ask<Backfills>('GET', '/backfills', ['backfills'], options)).backfills;
  }

  /** Null when there is none, or when it is done. */
  getBackfill(id: string, options: CallOptions = {}): Promise<Backfill | null> {
    return orNull(this.#ask<Backfill>('GET', `/backfills/${segmentOf('id', id)}`, BACKFILL, options));
  }

  /** False when there was none. */
  async stopBackfill(id: string, options: CallOptions = {}): Promise<boolean> {
    const call = { method: 'DELETE', path: `/backfills/${segmentOf('id', id)}`, ...options };
    return (await orNull(this.#transport.nothing(call).then(() => true))) ?? false;
  }

  /**
   * What happens, as it happens; of what happens often a sample. It ends when the instance stops or loses the table, and
   * nothing is told again: whoever listens anew has missed what was in between.
   */
  async *events(
    filters: EventFilters = {},
    options: CallOptions = {},
  ): AsyncGenerator<DalgaEvent, void, undefined> {
    const type = 'text/event-stream';
    const call = {
      ...{ method: 'GET', path: '/events', query: filters },
      headers: { accept: type },
      ...options,
    };
    const begun = await this.#transport.begin(call, type);
    // Once it has begun nothing may happen for any time.
    begun.deadline.pause();
    yield* eventsOf(linesOf(chunksOf(this.#transport, begun, false)));
  }

  async #job(method: string, name: JobName, options: AskOptions): Promise<Tagged & { status: number }> {
    const call = callOf(method, pathOf(name), options);
    const { answer, response } = await this.#transport.json<Job>(call, JOB);
    return { job: answer, etag: response.headers.get('etag') ?? '', status: response.status };
  }

  async #ask<T>(
    method: string,
    path: string,
    members: readonly (keyof T & string)[],
    options: AskOptions,
  ): Promise<T> {
    return (await this.#transport.json<T>(callOf(method, path, options), members)).answer;
  }
}
