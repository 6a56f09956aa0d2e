import type { FastifyInstance } from 'fastify';
import type { Health } from '../../job-service.ts';
import { retryAfter } from '../problem.ts';
import { healthSchema, readinessSchema } from '../schemas.ts';
import { sendJson } from '../send.ts';

/** For orchestrators: whether to restart this process, and whether to send requests to it. */
export function addHealthRoutes(app: FastifyInstance, health: Health): void {
  app.get('/healthz', { schema: healthSchema }, async (_request, reply) => {
    const alive = await health.alive().catch(() => false);
    if (alive) return sendJson(reply, 200, '{"status":"ok"}');
    return sendJson(reply.headers(retryAfter(503)), 503, '{"status":"failing"}');
  });

  app.get('/readyz', { schema: readinessSchema }, async (_request, reply) => {
    const { ready, reasons } = health.readiness();
    const status = ready ? 200 : 503;
    return sendJson(reply.headers(retryAfter(status)), status, JSON.stringify({ ready, reasons }));
  });
}
