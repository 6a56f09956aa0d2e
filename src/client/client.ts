import { DalgaProblem, DalgaUnreachable, type ProblemDocument } from './problem.ts';
import type {
  ChangeParameters,
  Duration,
  Forecast,
  ForecastParameters,
  History,
  Job,
  JobFilters,
  JobName,
  JobPage,
  ListParameters,
  PutParameters,
  Runs,
  Status,
} from './types.ts';

export { type DalgaMessage, Deduplicator, type DeliveredMessage, parseMessage } from './consumer.ts';
export { DalgaProblem, DalgaUnreachable } from './problem.ts';
export type * from './types.ts';

export type ClientOptions = {
  /** Where Dalga listens, as `http://127.0.0.1:34006`; a path before its own is kept. */
  readonly url: string;
  /** What requests are made with; the global one by default. */
  readonly fetch?: typeof fetch;
  /** Sent with each request, as for a proxy in front. */
  readonly headers?: Readonly<Record<string, string>>;
  /** ms that a request may take; 10 s by default. */
  readonly timeout?: number;
};

/** A condition on the job as it is stored. */
export type Match = {
  /** The entity tag that an answer had: the change is refused (412) when the job is another by now. */
  readonly ifMatch?: string;
};

/** A job, and the entity tag of what is stored. */
export type Tagged = { readonly job: Job; readonly etag: string };

type Query = Readonly<Record<string, string | number | boolean | undefined>>;
type Call = { readonly query?: Query; readonly body?: object; readonly headers?: Record<string, string> };

const TIMEOUT = 10_000;

/**
 * The HTTP API of Dalga. Each method rejects with a DalgaProblem when Dalga refuses, and with a DalgaUnreachable when
 * there is no answer that is Dalga's.
 */
export class DalgaClient {
  readonly #base: string;
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#base = options.url.replace(/\/+$/, '');
    this.#options = options;
  }

  /** Creates or replaces a job; an equal one keeps its phase. `onlyCreate`: refused (412) when it is there. */
  async put(
    name: JobName,
    parameters: PutParameters,
    { onlyCreate = false, ifMatch }: Match & { readonly onlyCreate?: boolean } = {},
  ): Promise<Tagged & { readonly created: boolean }> {
    const headers = { ...conditions(ifMatch), ...(onlyCreate ? { 'if-none-match': '*' } : {}) };
    const response = await this.#send('PUT', pathOf(name), { body: parameters, headers });
    return { ...(await tagged(response)), created: response.status === 201 };
  }

  /** Null when there is no such job. */
  async get(name: JobName): Promise<Tagged | null> {
    const response = await this.#find('GET', pathOf(name));
    return response === null ? null : tagged(response);
  }

  /** Changes what is named, and leaves the rest. */
  async change(name: JobName, parameters: ChangeParameters, { ifMatch }: Match = {}): Promise<Tagged> {
    return tagged(
      await this.#send('PATCH', pathOf(name), { body: parameters, headers: conditions(ifMatch) }),
    );
  }

  /** Resolves once only what was on its way already can still arrive. @param note why */
  pause(name: JobName, note?: string): Promise<Tagged> {
    return this.change(name, { enabled: false, ...(note === undefined ? {} : { note }) });
  }

  /** The job goes on at its phase. */
  resume(name: JobName): Promise<Tagged> {
    return this.change(name, { enabled: true, note: null });
  }

  /** What a consumer answers to a feed that asks for less: another interval, or a time before which nothing is to come. */
  pace(name: JobName, to: { readonly interval: Duration } | { readonly notBefore: Date }): Promise<Tagged> {
    return this.change(
      name,
      'interval' in to ? { interval: to.interval } : { not_before: to.notBefore.toISOString() },
    );
  }

  /** False when there was no such job. */
  async delete(name: JobName, { ifMatch }: Match = {}): Promise<boolean> {
    return (await this.#find('DELETE', pathOf(name), { headers: conditions(ifMatch) })) !== null;
  }

  /** One page of the jobs that the filters mean. */
  list(parameters: ListParameters = {}): Promise<JobPage> {
    return this.#read('GET', '/jobs', { query: parameters, headers: { accept: 'application/json' } });
  }

  /** All jobs that the filters mean, a page at a time. */
  async *listAll(filters: JobFilters = {}): AsyncGenerator<Job> {
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page: JobPage = await this.list({ ...filters, limit: 1000, ...(cursor && { cursor }) });
      yield* page.jobs;
      cursor = page.next;
    }
  }

  /** The coming scheduled times. */
  async next(name: JobName, count?: number): Promise<readonly string[]> {
    return (await this.#read<Runs>('GET', `${pathOf(name)}/next`, { query: { count } })).runs;
  }

  /** Those of a schedule that is not stored. */
  async preview(
    parameters: PutParameters,
    options: { readonly count?: number; readonly from?: string } = {},
  ): Promise<readonly string[]> {
    const body = { ...parameters, ...options };
    return (await this.#read<Pick<Runs, 'runs'>>('POST', '/schedules/preview', { body })).runs;
  }

  /** Why it ran, or did not. */
  history(name: JobName): Promise<History> {
    return this.#read('GET', `${pathOf(name)}/history`);
  }

  /** How many messages are to come. */
  forecast(parameters: ForecastParameters = {}): Promise<Forecast> {
    return this.#read('GET', '/forecast', { query: parameters });
  }

  status(): Promise<Status> {
    return this.#read('GET', '/status');
  }

  async #read<T>(method: string, path: string, call?: Call): Promise<T> {
    const response = await this.#send(method, path, call);
    return (await response.json()) as T;
  }

  /** Null for 404. */
  async #find(method: string, path: string, call?: Call): Promise<Response | null> {
    try {
      return await this.#send(method, path, call);
    } catch (error) {
      if (error instanceof DalgaProblem && error.status === 404) return null;
      throw error;
    }
  }

  async #send(method: string, path: string, { query = {}, body, headers }: Call = {}): Promise<Response> {
    const { fetch: send = fetch, headers: always, timeout = TIMEOUT } = this.#options;
    let response: Response;
    try {
      response = await send(`${this.#base}${path}${textOf(query)}`, {
        method,
        headers: { ...always, ...(body && { 'content-type': 'application/json' }), ...headers },
        ...(body && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(timeout),
      });
    } catch (cause) {
      throw new DalgaUnreachable(this.#base, 'does not answer', cause);
    }
    if (response.ok) return response;
    const document = await problemOf(response);
    if (document === null)
      throw new DalgaUnreachable(this.#base, `answers ${response.status}, and not as Dalga does`);
    throw new DalgaProblem(response.status, document, response.headers.get('retry-after'));
  }
}

/** Each name is one segment of the path. @throws TypeError for one that would be a step in it, which no job can have */
function pathOf({ routingKey, job }: JobName): string {
  for (const part of [routingKey, job]) {
    if (part === '' || part === '.' || part === '..')
      throw new TypeError(`no job can be named ${JSON.stringify(part)}`);
  }
  return `/jobs/${encodeURIComponent(routingKey)}/${encodeURIComponent(job)}`;
}

function textOf(query: Query): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
  if (pairs.length === 0) return '';
  return `?${new URLSearchParams(pairs.map(([name, value]): [string, string] => [name, String(value)]))}`;
}

function conditions(ifMatch: string | undefined): Record<string, string> {
  return ifMatch === undefined ? {} : { 'if-match': ifMatch };
}

async function tagged(response: Response): Promise<Tagged> {
  return { job: (await response.json()) as Job, etag: response.headers.get('etag') ?? '' };
}

async function problemOf(response: Response): Promise<ProblemDocument | null> {
  if (!response.headers.get('content-type')?.startsWith('application/problem+json')) return null;
  return (await response.json().catch(() => null)) as ProblemDocument | null;
}
