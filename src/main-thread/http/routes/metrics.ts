import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../../job-service.ts';
import { metricsSchema } from '../schemas.ts';

/** For Prometheus. A standby answers too. */
export function addMetricsRoute(app: FastifyInstance, metrics: Metrics): void {
  app.get('/metrics', { schema: metricsSchema }, async (_request, reply) => {
    const text = await metrics.text();
    return reply.header('content-type', metrics.contentType).header('cache-control', 'no-store').send(text);
  });
}
