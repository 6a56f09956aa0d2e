import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type FastifyInstance, type FastifyRequest, fastify, type onRequestHookHandler } from 'fastify';
import type { Logger } from 'pino';
import type { Clock } from '../../clock.ts';
import type { HttpLimits } from '../../config.ts';
import { DalgaError } from '../../errors.ts';
import type { BackfillService } from '../backfills.ts';
import type { Insight } from '../insight.ts';
import type { Health, JobService, Metrics } from '../job-service.ts';
import { type AllowedMethods, collectAllowedMethods } from './allowed-methods.ts';
import { addBodyParsers, announcesBody } from './body.ts';
import { answerClientError, endWith, methodNotAllowed } from './client-error.ts';
import { limitConnections } from './connection-limit.ts';
import { readJobKey } from './job-key.ts';
import { collectSchemas, serveDocument } from './openapi.ts';
import { sendProblem, toRefusal } from './problem.ts';
import { splitTarget } from './request-target.ts';
import { addBackfillRoutes } from './routes/backfills.ts';
import { addBulkRoutes } from './routes/bulk.ts';
import { addEventRoutes, type Events } from './routes/events.ts';
import { addHealthRoutes } from './routes/health.ts';
import { addInsightRoutes } from './routes/insight.ts';
import { addJobRoutes } from './routes/jobs.ts';
import { addListRoutes } from './routes/list.ts';
import { addManyRoutes } from './routes/many.ts';
import { addMetricsRoute } from './routes/metrics.ts';

/** What CONNECT, which has no path, is told. */
const ANY_METHOD = 'DELETE, GET, HEAD, POST, PUT';

export type AppOptions = {
  readonly jobs: JobService;
  readonly clock: Clock;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly insight: Insight;
  readonly events: Events;
  readonly backfills: BackfillService;
  readonly limits: HttpLimits;
  /** Told of unforeseen errors and of connections beyond the limit: requests are not logged. */
  readonly logger?: Pick<Logger, 'error' | 'warn'>;
  readonly version: string;
};

/** The HTTP API, not listening yet. Every refusal is a problem of the catalogue (RFC 9457). */
export function createApp({
  jobs,
  clock,
  health,
  metrics,
  insight,
  events,
  backfills,
  limits,
  logger,
  version,
}: AppOptions): FastifyInstance {
  const { bodyLimit, headerLimit, requestTimeout, keepAliveTimeout } = limits;
  const app: FastifyInstance = fastify({
    bodyLimit,
    http: {
      maxHeaderSize: headerLimit,
      headersTimeout: requestTimeout / 4,
      connectionsCheckingInterval: Math.min(1000, requestTimeout / 4),
      // Node would answer a missing Host by itself, without a body.
      requireHostHeader: false,
    },
    // A bulk load takes as long as it takes: see the hook below.
    requestTimeout: 0,
    keepAliveTimeout,
    // Neither limit sees a client that does not read its answers, or that is gone without a word.
    connectionTimeout: requestTimeout + keepAliveTimeout,
    // Fastify's own answer while it closes is no problem document.
    return503OnClosing: false,
    // The routes read the query string themselves, strictly.
    routerOptions: { maxParamLength: headerLimit, querystringParser: () => ({}) },
    clientErrorHandler: (error, socket) =>
      answerClientError(error, socket, { maxHeaderSize: headerLimit, allowed }),
    frameworkErrors: (_error, request, reply) => {
      const refusal = refuseUnroutable(request, allowed);
      sendProblem(reply, refusal.error, refusal.allow);
    },
  });
  const allowed = collectAllowedMethods(app);
  limitConnections(app.server, limits.maxConnections, logger);
  // A client that has closed its half of the connection after its request is answered too: by itself Node would
  // end the connection at once, and the client would not learn that its job was stored.
  Object.assign(app.server, { httpAllowHalfOpen: true });
  addBodyParsers(app);

  let stopping = false;
  app.addHook('preClose', (done) => {
    stopping = true;
    done();
  });

  app.addHook('onRequest', oneAfterAnother());

  app.addHook('onRequest', (request, reply, done) => {
    if (stopping) return done(new DalgaError('stopping', 'Dalga is stopping'));
    const { headers } = request;
    if (headers.host === undefined && request.raw.httpVersion === '1.1') {
      return done(new DalgaError('malformed_request', 'HTTP/1.1 needs a Host header'));
    }
    // Fastify refuses a content type that it cannot read even where there is no content.
    if (headers['content-type'] !== undefined && !announcesBody(request)) delete headers['content-type'];
    if (!request.routeOptions.config.takesItsTime) limitBody(app, request, requestTimeout);
    if (!request.is404) return done();
    // Before the body is read: whatever it is, it is not looked at.
    const { error, allow } = refuseRoute(request, allowed);
    sendProblem(reply, error, allow);
  });

  // A file that /docs does not have.
  app.setNotFoundHandler((request, reply) => sendProblem(reply, refuseRoute(request, allowed).error));

  app.setErrorHandler((error, request, reply) => {
    const refusal = toRefusal(error, bodyLimit);
    if (refusal === null) {
      logger?.error(
        { err: error, method: request.method, route: request.routeOptions.url },
        'a request failed unexpectedly',
      );
      return sendProblem(reply, new DalgaError('internal', 'the request failed unexpectedly'));
    }
    return sendProblem(reply, refusal);
  });

  app.server.on('connect', (_request, socket) => {
    endWith(socket, methodNotAllowed('CONNECT', ANY_METHOD), ANY_METHOD);
  });
  // An expectation that Node does not know is ignored, as RFC 9110 allows; it would answer 417 by itself.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));

  app.register(async (scope) => {
    // The schemas describe, and neither validate nor serialise (see schemas.ts). Set here: a scope with shared
    // schemas does not inherit them.
    scope.setValidatorCompiler(() => () => true);
    scope.setSerializerCompiler(() => JSON.stringify);
    await collectSchemas(scope, version);
    addJobRoutes(scope, jobs);
    addListRoutes(scope, jobs, clock);
    addManyRoutes(scope, jobs);
    addInsightRoutes(scope, insight, clock);
    addBackfillRoutes(scope, backfills);
    await addBulkRoutes(scope, { jobs, clock, lineLimit: bodyLimit, logger });
    addEventRoutes(scope, events);
    addHealthRoutes(scope, health);
    addMetricsRoute(scope, metrics);
    await serveDocument(scope);
  });
  return app;
}

/**
 * Node begins pipelined requests at once; all but safe ones are to be carried out one after another (RFC 9112, section
 * 9.3.2).
 */
function oneAfterAnother(): onRequestHookHandler {
  const last = new WeakMap<Socket, ServerResponse>();
  return ({ raw: { socket } }, { raw: response }, done) => {
    const before = last.get(socket);
    last.set(socket, response);
    if (before === undefined || before.writableEnded || before.destroyed) return done();
    before.once('close', () => done());
  };
}

/** Node's requestTimeout, for the requests that have one: its own would hold for all of them. */
function limitBody(app: FastifyInstance, request: FastifyRequest, limit: number): void {
  if (!announcesBody(request)) return;
  const { raw } = request;
  const timer = setTimeout(() => {
    const error = Object.assign(new Error('Request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
    if (!raw.complete) app.server.emit('clientError', error, raw.socket);
  }, limit).unref();
  raw.once('close', () => clearTimeout(timer));
}

type Refusal = { readonly error: DalgaError; readonly allow?: string };

/** No route has this path with this method, or a route has found nothing there. */
function refuseRoute(request: FastifyRequest, allowed: AllowedMethods): Refusal {
  const { path } = splitTarget(request.raw.url ?? '');
  const allow = allowed.of(path);
  if (allow !== undefined && !allow.split(', ').includes(request.method)) {
    return { error: methodNotAllowed(request.method, allow), allow };
  }
  const hint = path.startsWith('/jobs')
    ? 'a job is at /jobs/{routing_key}/{job}, and a slash within either is written as %2F'
    : 'see /docs';
  return { error: new DalgaError('not_found', `there is nothing at this path: ${hint}`) };
}

/** The router could not decode the path. */
function refuseUnroutable(request: FastifyRequest, allowed: AllowedMethods): Refusal {
  const refusal = refuseRoute(request, allowed);
  if (refusal.allow !== undefined) return refusal;
  const { path } = splitTarget(request.raw.url ?? '');
  try {
    if (/^\/jobs\/[^/]*\/[^/]*$/.test(path)) readJobKey(path);
  } catch (error) {
    if (error instanceof DalgaError) return { error };
  }
  return {
    error: new DalgaError('malformed_request', 'the path has malformed percent-encoding, or is not UTF-8'),
  };
}
