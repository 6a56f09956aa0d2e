import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../../clock.ts';
import { checkPut } from '../../../job/plan.ts';
import { formatExact, formatTime } from '../../../job/rfc3339.ts';
import type { Forecast, ForecastRange } from '../../../protocol/forecast.ts';
import type { HistoryEntry } from '../../../protocol/history.ts';
import type { ExplainedJob, Insight, Status } from '../../insight.ts';
import { EVENT_NAMES, KIND_NAMES } from '../../why.ts';
import { type Body, refuseBody } from '../body.ts';
import { rangeOf, rangeTypes, readForecastRequest } from '../forecast-request.ts';
import {
  addedForecastSchema,
  forecastSchema,
  historySchema,
  nextRunsSchema,
  previewSchema,
  statusSchema,
} from '../insight-schemas.ts';
import { readJobKey } from '../job-key.ts';
import { decodeUtf8 } from '../job-view.ts';
import { integer, time } from '../parameter-types.ts';
import { readMore } from '../parameters.ts';
import { noSuchJob } from '../problem.ts';
import { readQuery } from '../query.ts';
import { splitTarget } from '../request-target.ts';
import { sendJson } from '../send.ts';

const JOB = '/jobs/:routing_key/:job';
const DEFAULT_COUNT = 20;
export const COUNT_LIMIT = 1000;

const count = integer(1, COUNT_LIMIT);

/** What a person asks of the jobs and of the instance; nothing of it changes anything. */
export function addInsightRoutes(app: FastifyInstance, insight: Insight, clock: Clock): void {
  app.get(`${JOB}/next`, { schema: nextRunsSchema }, async (request, reply) => {
    const { path, query } = splitTarget(request.raw.url!);
    const key = readJobKey(path);
    const { count: asked = DEFAULT_COUNT } = readQuery('GET', query, { count });
    refuseBody(request);
    const runs = (await insight.runs(key, asked)) ?? noSuchJob();
    const text = JSON.stringify({ job: key.job, routing_key: key.routingKey, runs: runs.map(formatExact) });
    return sendJson(reply, 200, text);
  });

  app.post('/schedules/preview', { schema: previewSchema }, async (request, reply) => {
    const { query } = splitTarget(request.raw.url!);
    const body = request.body as Body | undefined;
    const { request: schedule, more } = readMore('a preview', query, body, { count, from: time });
    checkPut(schedule);
    const from = (more.get('from') as number | undefined) ?? null;
    const runs = insight.preview(schedule, from, (more.get('count') as number | undefined) ?? DEFAULT_COUNT);
    return sendJson(reply, 200, JSON.stringify({ runs: runs.map(formatExact) }));
  });

  app.get(`${JOB}/history`, { schema: historySchema }, async (request, reply) => {
    const { path, query } = splitTarget(request.raw.url!);
    const key = readJobKey(path);
    readQuery('GET', query, {});
    refuseBody(request);
    return sendJson(reply, 200, formatHistory((await insight.history(key)) ?? noSuchJob()));
  });

  app.get('/forecast', { schema: forecastSchema }, async (request, reply) => {
    const { query } = splitTarget(request.raw.url!);
    const range = rangeOf(readQuery('GET /forecast', query, rangeTypes), clock.now());
    refuseBody(request);
    return sendJson(reply, 200, JSON.stringify(formatForecast(range, await insight.forecast(range))));
  });

  const config = { takesJsonAlone: true };
  app.post('/forecast', { schema: addedForecastSchema, config }, async (request, reply) => {
    const { query } = splitTarget(request.raw.url!);
    const { range, now, added } = await readForecastRequest(query, request.body as Body | undefined, clock);
    const stored = await insight.forecast(range);
    const text = JSON.stringify({
      ...formatForecast(range, stored),
      added: formatSteps(await insight.forecastAdded(range, now, added)),
    });
    return sendJson(reply, 200, text);
  });

  app.get('/status', { schema: statusSchema }, async (request, reply) => {
    readQuery('GET /status', splitTarget(request.raw.url!).query, {});
    refuseBody(request);
    return sendJson(reply, 200, formatStatus(await insight.status()));
  });
}

function formatHistory({ view, history, why }: ExplainedJob): string {
  return JSON.stringify({
    job: decodeUtf8(view.row.job),
    routing_key: decodeUtf8(view.row.routingKey),
    why,
    next_run: view.nextRun === null ? null : formatTime(view.nextRun),
    entries: history.entries.map(formatEntry),
  });
}

function formatEntry({ event, kind, time: scheduled, sentAt, at, count: others }: HistoryEntry): object {
  return {
    event: EVENT_NAMES[event],
    kind: KIND_NAMES[kind],
    scheduled_at: formatExact(scheduled),
    sent_at: sentAt === 0 ? null : formatExact(sentAt),
    at: formatExact(at),
    late_ms: sentAt === 0 ? null : Math.max(0, Math.round(sentAt - scheduled)),
    count: others,
  };
}

function formatForecast({ from, to, step }: ForecastRange, forecast: Forecast): object {
  return { from: formatExact(from), to: formatExact(to), step: step / 1000, ...formatSteps(forecast) };
}

function formatSteps({ sampled, steps, routes }: Forecast): object {
  const rounded = (values: Float64Array) => Array.from(values, (value) => Math.round(value));
  const whole = rounded(steps);
  return {
    sampled,
    total: whole.reduce((sum, value) => sum + value, 0),
    steps: whole,
    routes: routes.map(({ routingKey, steps: own }) => ({ routing_key: routingKey, steps: rounded(own) })),
  };
}

function formatStatus({ scheduler, lateness, versions, ...standing }: Status): string {
  const { jobs, dueNow, inFlight, heldBack, due, confirmed, returned, superseded, skipped, cancelled } =
    scheduler;
  return JSON.stringify({
    lease: standing.lease,
    ready: standing.ready,
    owner: standing.owner,
    epoch: standing.epoch,
    jobs,
    due: dueNow,
    in_flight: inFlight,
    held_back: heldBack,
    catch_ups_waiting: scheduler.catchUpsWaiting,
    lateness: {
      minutes: 5,
      count: lateness?.count ?? 0,
      p50_ms: lateness?.p50 ?? null,
      p99_ms: lateness?.p99 ?? null,
      p999_ms: lateness?.p999 ?? null,
      max_ms: lateness?.max ?? null,
    },
    balance: {
      ...{ due, confirmed, returned, superseded, skipped, cancelled },
      ...{ handed_over: scheduler.handedOver, in_flight: inFlight, held_back: heldBack },
    },
    watermark_age_ms: standing.watermarkAge === null ? null : Math.round(standing.watermarkAge),
    memory: { used: scheduler.jobBytes, limit: standing.memoryLimit },
    versions,
  });
}
