import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { answerParent } from './child.ts';
import type { EditsOptions, EditsReport, EditsRequest } from './edits.ts';
import { Histogram } from './histogram.ts';
import { jobName } from './seed-table.ts';

/**
 * In turns: a new job, a job that is planned anew, and the removal of a job that was new a while ago. So the number of
 * jobs, and of messages a second, stays what it is.
 */
const KINDS = 3;
/** How often it is looked what is to be sent, ms. */
const TICK = 5;
const CONNECTIONS = 32;

const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
const latency = new Histogram(0.1);
/** Over all runs: a name that was new once is not new again. */
let named = 0;
/** New jobs that are there, the oldest first. */
const created: number[] = [];
let turn = 0;

let sent = 0;
let begun = 0;
let timer: NodeJS.Timeout | null = null;
let failure: Error | null = null;
const underWay = new Set<Promise<void>>();

type Change = {
  readonly method: string;
  readonly job: number;
  readonly query: string;
  readonly status: number;
};

function nextChange({ jobs, interval }: EditsOptions): Change {
  const kind = turn++ % KINDS;
  const query = `?interval=${interval}`;
  if (kind === 0) return { method: 'PUT', job: jobs + ++named, query, status: 201 };
  const oldest = kind === 2 ? created.shift() : undefined;
  if (oldest !== undefined) return { method: 'DELETE', job: oldest, query: '', status: 204 };
  return { method: 'POST', job: 1 + Math.floor(Math.random() * jobs), query, status: 200 };
}

async function send(options: EditsOptions, wantedAt: number): Promise<void> {
  const { method, job, query, status } = nextChange(options);
  const path = `/jobs/${options.routingKey}/${encodeURIComponent(jobName(job))}${query}`;
  const call = request(new URL(path, options.url), { method, agent }).end();
  const [response] = await once(call, 'response');
  response.setEncoding('utf8');
  let text = '';
  for await (const part of response) text += part;
  if (response.statusCode !== status)
    throw new Error(`${method} of job ${job} was answered with ${response.statusCode}: ${text}`);
  if (method === 'PUT') created.push(job);
  latency.add(performance.now() - wantedAt);
}

function start(options: EditsOptions): void {
  const every = 1000 / options.rate;
  latency.clear();
  sent = 0;
  begun = performance.now();
  timer = setInterval(() => {
    const now = performance.now();
    // Whatever the answers take: who waits for them would send less when they are slow.
    for (; begun + sent * every <= now; sent++) {
      const done = send(options, begun + sent * every)
        .catch((error) => {
          failure ??= error;
        })
        .finally(() => underWay.delete(done));
      underWay.add(done);
    }
  }, TICK);
}

async function stop(): Promise<EditsReport> {
  clearInterval(timer!);
  const seconds = (performance.now() - begun) / 1000;
  await Promise.all(underWay);
  if (failure !== null) throw failure;
  return {
    changes: sent,
    rate: sent / seconds,
    p50: latency.percentile(0.5),
    p99: latency.percentile(0.99),
  };
}

answerParent((question: EditsRequest): Promise<EditsReport> | null => {
  if (question.type === 'stop') return stop();
  start(question.options);
  return null;
});
