import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Test } from 'tap';
import type { HttpLimits } from '../../../src/config.ts';
import type { NamedSpan } from '../../../src/database/span-statements.ts';
import { DalgaError } from '../../../src/errors.ts';
import { changeRow, createRow, type JobRequest, replaceRow } from '../../../src/job/change-row.ts';
import type { IfMatch } from '../../../src/job/entity-tag.ts';
import type { JobKey, JobRow } from '../../../src/job/job.ts';
import { isEverything, type JobFilter, matches } from '../../../src/job/job-filter.ts';
import { nameJob } from '../../../src/job/named-job.ts';
import { nextRun } from '../../../src/job/next-run.ts';
import { planBackfill, planRun, type Span } from '../../../src/job/span.ts';
import type { BackfillService } from '../../../src/main-thread/backfills.ts';
import { type AppOptions, createApp } from '../../../src/main-thread/http/app.ts';
import { createInsight } from '../../../src/main-thread/insight.ts';
import type { JobPage, JobService, JobView, ListQuery } from '../../../src/main-thread/job-service.ts';
import type { ManyQuery, ManyResult } from '../../../src/main-thread/many-jobs.ts';
import { startingData } from '../../../src/main-thread/metrics.ts';

/** 2014-11-11T22:10:40.900Z, so that an interval of 60 gives the README's next_run, with ms to cut. */
export const NOW = Date.UTC(2014, 10, 11, 22, 10, 40, 900);

type Call = { method: string; key: JobKey; request?: JobRequest; onlyCreate?: boolean };

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Jobs in memory, and a record of what was asked for. */
export class FakeJobs implements JobService {
  readonly calls: Call[] = [];
  readonly rows = new Map<string, JobRow>();
  readonly queries: ListQuery[] = [];
  /** What every call rejects with, when set. */
  failure: unknown;
  /** What `putAll` tells of single jobs, by their names. */
  readonly faults = new Map<string, DalgaError>();
  now = NOW;
  #ids = 0;

  async put(key: JobKey, request: JobRequest, { onlyCreate }: { onlyCreate: boolean; ifMatch: IfMatch }) {
    this.#record({ method: 'put', key, request, onlyCreate });
    const stored = this.rows.get(JSON.stringify(key));
    if (stored !== undefined && onlyCreate) throw new DalgaError('precondition_failed', 'the job exists');
    const named = nameJob(key);
    const row =
      stored === undefined
        ? createRow(named, request, this.now, ++this.#ids)
        : replaceRow(stored, named.hash, request, this.now);
    this.rows.set(JSON.stringify(key), row);
    return { created: stored === undefined, view: this.#view(row) };
  }

  async putAll(puts: readonly { key: JobKey; request: JobRequest }[]) {
    if (this.failure !== undefined) throw this.failure;
    const outcomes: ('created' | 'stored' | DalgaError)[] = [];
    for (const { key, request } of puts) {
      const fault = this.faults.get(key.job);
      if (fault !== undefined) outcomes.push(fault);
      else
        outcomes.push(
          (await this.put(key, request, { onlyCreate: false, ifMatch: null })).created ? 'created' : 'stored',
        );
    }
    return outcomes;
  }

  async *all(filter: JobFilter): AsyncGenerator<readonly JobRow[]> {
    if (this.failure !== undefined) throw this.failure;
    for (const row of this.rows.values()) if (matches(filter, row)) yield [row];
  }

  async list(query: ListQuery): Promise<JobPage> {
    if (this.failure !== undefined) throw this.failure;
    this.queries.push(query);
    const rows = this.#matching(query.filter);
    const from = query.after === null ? 0 : rows.findIndex(({ id }) => id === query.after?.id) + 1;
    const page = rows.slice(from, from + query.limit);
    const last = page.at(-1);
    const more = from + page.length < rows.length && last !== undefined;
    return {
      views: page.map((row) => this.#view(row)),
      next: more ? { routingKey: last.routingKey, jobStart: last.job.subarray(0, 200), id: last.id } : null,
      total: isEverything(query.filter) ? rows.length : null,
    };
  }

  /** By their names. */
  #matching(filter: JobFilter): JobRow[] {
    return [...this.rows.values()]
      .filter((row) => matches(filter, row))
      .sort((a, b) => Buffer.compare(a.routingKey, b.routingKey) || Buffer.compare(a.job, b.job));
  }

  async changeMany({ filter, change, dryRun }: ManyQuery): Promise<ManyResult> {
    if (this.failure !== undefined) throw this.failure;
    const rows = this.#matching(filter);
    const names = rows.map(({ routingKey, job }) => ({ routingKey: decode(routingKey), job: decode(job) }));
    for (const key of dryRun ? [] : names)
      await (change === null ? this.delete(key) : this.post(key, change));
    return { matched: rows.length, changed: dryRun ? 0 : rows.length, refused: 0, errors: [] };
  }

  async get(key: JobKey): Promise<JobView | null> {
    this.#record({ method: 'get', key });
    const row = this.rows.get(JSON.stringify(key));
    return row === undefined ? null : this.#view(row);
  }

  async post(key: JobKey, request: JobRequest): Promise<JobView | null> {
    this.#record({ method: 'post', key, request });
    const stored = this.rows.get(JSON.stringify(key));
    if (stored === undefined) return null;
    const row = changeRow(stored, nameJob(key).hash, request, this.now);
    this.rows.set(JSON.stringify(key), row);
    return this.#view(row);
  }

  async delete(key: JobKey): Promise<boolean> {
    this.#record({ method: 'delete', key });
    return this.rows.delete(JSON.stringify(key));
  }

  #record(call: Call): void {
    this.calls.push(call);
    if (this.failure !== undefined) throw this.failure;
  }

  #view(row: JobRow): JobView {
    return { row, nextRun: nextRun(row, this.now) };
  }
}

/** Runs by hand and backfills in memory: nothing is published. */
export class FakeBackfills implements BackfillService {
  readonly #jobs: FakeJobs;
  readonly spans = new Map<number, NamedSpan>();
  #ids = 6;

  constructor(jobs: FakeJobs) {
    this.#jobs = jobs;
  }

  async run(key: JobKey): Promise<Span | null> {
    return this.#open(key, (row, id) => planRun(row, this.#jobs.now, id));
  }

  async backfill(key: JobKey, past: { from: number; to: number }): Promise<Span | null> {
    return this.#open(key, (row, id) => planBackfill(row, past, this.#jobs.now, id));
  }

  async list(): Promise<readonly NamedSpan[]> {
    return [...this.spans.values()];
  }

  async get(id: number): Promise<NamedSpan | null> {
    return this.spans.get(id) ?? null;
  }

  async end(id: number): Promise<boolean> {
    return this.spans.delete(id);
  }

  async #open(key: JobKey, plan: (row: JobRow, id: number) => Span): Promise<Span | null> {
    const view = await this.#jobs.get(key);
    if (view === null) return null;
    const { routingKey, job } = view.row;
    const span = { ...plan(view.row, ++this.#ids), routingKey, job };
    this.spans.set(span.id, span);
    return span;
  }
}

export type Answer = { status: number; headers: IncomingHttpHeaders; text: string; body: unknown };

export type Ask = {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
};

export type Served = {
  readonly app: FastifyInstance;
  readonly jobs: FakeJobs;
  readonly errors: unknown[];
  readonly warnings: unknown[];
  readonly port: number;
  /** Sends a request whose path is not normalised. */
  ask(ask: Ask): Promise<Answer>;
  /** Sends bytes on a connection of its own; resolves to all that came until the server closed it. */
  raw(bytes: string | Buffer): Promise<Answer>;
};

export const BODY_LIMIT = 4096;

/** Those of the configuration, but for the body's. */
export const LIMITS: HttpLimits = {
  bodyLimit: BODY_LIMIT,
  headerLimit: 128 * 1024,
  requestTimeout: 60_000,
  keepAliveTimeout: 75_000,
  maxConnections: 5000,
};

/** What `/metrics` answers. */
export const METRICS = 'dalga_jobs 1\n';

function notOwner(): never {
  throw new DalgaError('not_owner', 'another instance owns the table');
}

/** An app on a real socket, with jobs in memory. */
export async function serve(t: Test, options: Partial<AppOptions> = {}): Promise<Served> {
  const jobs = new FakeJobs();
  const errors: unknown[] = [];
  const warnings: unknown[] = [];
  const clock = { now: () => NOW, monotonic: () => performance.now() };
  const app = createApp({
    jobs,
    clock,
    insight: createInsight({
      ...{ clock, jobs },
      owner: notOwner,
      ownerOrNull: () => null,
      standing: () => ({ ...startingData(1000), owner: null }),
      versions: async () => ({ dalga: '1.2.3', node: 'v20', mysql: null, rabbitmq: null }),
    }),
    events: { check: notOwner, listen: notOwner },
    backfills: new FakeBackfills(jobs),
    health: { alive: async () => true, readiness: () => ({ ready: true, reasons: {} }) },
    metrics: { contentType: 'text/plain; version=0.0.4; charset=utf-8', text: async () => METRICS },
    limits: LIMITS,
    logger: { error: (entry: unknown) => errors.push(entry), warn: (entry: unknown) => warnings.push(entry) },
    version: '1.2.3',
    ...options,
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  return {
    app,
    jobs,
    errors,
    warnings,
    port,
    ask: (ask) => send(port, ask),
    raw: (bytes) => sendRaw(port, bytes),
  };
}

/** Sends a request whose path is not normalised. */
export async function send(port: number, { method = 'GET', path, headers = {}, body }: Ask): Promise<Answer> {
  const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false });
  request.end(body);
  const [response] = await once(request, 'response');
  // The server may close before it has read a body that it refuses.
  request.on('error', () => {});
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, headers: response.headers, text, body: parse(text) };
}

/** Sends bytes on a connection of its own; resolves to all that came until the server closed it. */
export async function sendRaw(port: number, bytes: string | Buffer): Promise<Answer> {
  const socket = connect(port, '127.0.0.1');
  socket.setEncoding('utf8');
  socket.write(bytes);
  let all = '';
  for await (const chunk of socket) all += chunk;
  const [head = '', text = ''] = all.split('\r\n\r\n');
  const [line = '', ...fields] = head.split('\r\n');
  const headers = Object.fromEntries(
    fields.map((field) => {
      const at = field.indexOf(': ');
      return [field.slice(0, at).toLowerCase(), field.slice(at + 2)];
    }),
  );
  return { status: Number(line.split(' ')[1]), headers, text, body: parse(text) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

type Problem = { status: number; code: string; parameter?: string; detail: RegExp };

/** Asserts a refusal: a whole problem document, and that nothing was asked of the service nor logged. */
export function isRefusal(t: Test, served: Served, answer: Answer, expected: Problem): void {
  const body = answer.body as Record<string, unknown>;
  t.equal(answer.status, expected.status, 'status');
  t.equal(answer.headers['content-type'], 'application/problem+json', 'content type');
  t.match(
    body,
    { status: expected.status, code: expected.code, type: `urn:dalga:error:${expected.code}`, title: String },
    'problem',
  );
  t.equal(body.parameter, expected.parameter, 'parameter');
  t.match(body.detail, expected.detail, 'detail');
  if (expected.parameter !== undefined) t.ok(String(body.detail).startsWith(expected.parameter), 'names it');
  t.same(served.jobs.calls, [], 'the service was not called');
  t.same(served.errors, [], 'nothing was logged as an error');
}
