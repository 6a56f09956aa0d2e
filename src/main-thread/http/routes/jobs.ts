import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { JobRequest } from '../../../job/change-row.ts';
import { checkMatch, entityTag } from '../../../job/entity-tag.ts';
import { checkCombination, checkPut } from '../../../job/plan.ts';
import type { JobService, JobView } from '../../job-service.ts';
import { type Body, refuseBody } from '../body.ts';
import { readConditions } from '../conditions.ts';
import { readJobKey } from '../job-key.ts';
import { formatJob } from '../job-view.ts';
import { readParameters, refuseParameters } from '../parameters.ts';
import { noSuchJob } from '../problem.ts';
import { splitTarget } from '../request-target.ts';
import { deleteJobSchema, getJobSchema, patchJobSchema, postJobSchema, putJobSchema } from '../schemas.ts';
import { sendJson } from '../send.ts';

const PATH = '/jobs/:routing_key/:job';

/** https://www.w3.org/TR/trace-context/: the version that is known, and ids that are not all zeros. */
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The four calls. Each checks all that does not depend on what is stored before it asks the service. */
export function addJobRoutes(app: FastifyInstance, jobs: JobService): void {
  app.put(PATH, { schema: putJobSchema }, async (request, reply) => {
    const { path, query } = splitTarget(request.raw.url!);
    const key = readJobKey(path);
    const schedule = readParameters('PUT', query, bodyOf(request));
    checkPut(schedule);
    const conditions = readConditions('PUT', request.headers);
    const { created, view } = await jobs.put(key, traced(schedule, request), conditions);
    return sendJob(reply, created ? 201 : 200, view);
  });

  app.get(PATH, { schema: getJobSchema }, async (request, reply) => {
    const { path, query } = splitTarget(request.raw.url!);
    const key = readJobKey(path);
    refuseParameters('GET', query, undefined);
    const { ifMatch } = readConditions('GET', request.headers);
    refuseBody(request);
    const view = (await jobs.get(key)) ?? noSuchJob();
    checkMatch(view.row, ifMatch);
    return sendJob(reply, 200, view);
  });

  const change = (method: 'POST' | 'PATCH') => async (request: FastifyRequest, reply: FastifyReply) => {
    const { path, query } = splitTarget(request.raw.url!);
    const key = readJobKey(path);
    const change = readParameters(method, query, bodyOf(request));
    checkCombination(change);
    const { ifMatch } = readConditions(method, request.headers);
    return sendJob(reply, 200, (await jobs.post(key, traced(change, request), ifMatch)) ?? noSuchJob());
  };
  app.post(PATH, { schema: postJobSchema }, change('POST'));
  app.patch(PATH, { schema: patchJobSchema }, change('PATCH'));

  app.delete(PATH, { schema: deleteJobSchema }, async (request, reply) => {
    const { path, query } = splitTarget(request.raw.url!);
    const key = readJobKey(path);
    refuseParameters('DELETE', query, bodyOf(request));
    const { ifMatch } = readConditions('DELETE', request.headers);
    if (!(await jobs.delete(key, ifMatch))) noSuchJob();
    return reply.code(204).header('cache-control', 'no-store').send();
  });
}

function bodyOf(request: FastifyRequest): Body | undefined {
  return request.body as Body | undefined;
}

function sendJob(reply: FastifyReply, status: number, view: JobView): FastifyReply {
  return sendJson(reply.header('etag', entityTag(view.row)), status, formatJob(view));
}

/** With the trace context of the request (W3C), where it has a valid one. */
function traced(change: JobRequest, { headers }: FastifyRequest): JobRequest {
  const { traceparent } = headers;
  if (typeof traceparent !== 'string' || !TRACEPARENT.test(traceparent)) return change;
  return { ...change, traceparent };
}
