import type { FastifyInstance } from 'fastify';
import type { Health } from '../../job-service.ts';
import { healthSchema, readinessSchema } from '../schemas.ts';
import { sendJson } from '../send.ts';

/** For orchestrators: whether to restart this process, and whether to send requests to it. */
export function addHealthRoutes(app: FastifyInstance, health: Health): void {
  app.get('/healthz', { schema: healthSchema }, async (_request, reply) => {
    const alive = await health.alive().catch(() => false);
    return alive ? sendJson(reply, 200, '{"status":"ok"}') : sendJson(reply, 503, '{"status":"failing"}');
  });

  app.get('/readyz', { schema: readinessSchema }, async (_request, reply) => {
    const { ready, reasons } = health.readiness();
    return sendJson(reply, ready ? 200 : 503, JSON.stringify({ ready, reasons }));
  });
}
