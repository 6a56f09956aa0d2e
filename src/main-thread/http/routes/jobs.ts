import type { FastifyInstance, FastifyRequest } from 'fastify';
import { DalgaError } from '../../../errors.ts';
import { checkCombination, checkPut } from '../../../job/plan.ts';
import type { JobService } from '../../job-service.ts';
import { announcesBody, type Body } from '../body.ts';
import { readConditions } from '../conditions.ts';
import { readJobKey } from '../job-key.ts';
import { formatJob } from '../job-view.ts';
import { readSchedule, refuseParameters } from '../parameters.ts';
import { splitTarget } from '../request-target.ts';
import { deleteJobSchema, getJobSchema, postJobSchema, putJobSchema } from '../schemas.ts';
import { sendJson } from '../send.ts';

const PATH = '/jobs/:routing_key/:job';

/** The four calls. Each checks all that does not depend on what is stored before it asks the service. */
export function addJobRoutes(app: FastifyInstance, jobs: JobService): void {
  app.put(PATH, { schema: putJobSchema }, async (request, reply) => {
    const { path, query } = splitTarget(request.raw.url!);
    const key = readJobKey(path);
    const schedule = readSchedule('PUT', query, bodyOf(request));
    checkPut(schedule);
    const onlyCreate = readConditions('PUT', request.headers);
    const { created, view } = await jobs.put(key, schedule, { onlyCreate });
    return sendJson(reply, created ? 201 : 200, formatJob(view));
  });

  app.get(PATH, { schema: getJobSchema }, async (request, reply) => {
    const { path, query } = splitTarget(request.raw.url!);
    const key = readJobKey(path);
    refuseParameters('GET', query, undefined);
    readConditions('GET', request.headers);
    if (announcesBody(request)) throw new DalgaError('malformed_request', 'GET takes no body');
    return sendJson(reply, 200, formatJob((await jobs.get(key)) ?? missing()));
  });

  app.post(PATH, { schema: postJobSchema }, async (request, reply) => {
    const { path, query } = splitTarget(request.raw.url!);
    const key = readJobKey(path);
    const schedule = readSchedule('POST', query, bodyOf(request));
    checkCombination(schedule);
    readConditions('POST', request.headers);
    return sendJson(reply, 200, formatJob((await jobs.post(key, schedule)) ?? missing()));
  });

  app.delete(PATH, { schema: deleteJobSchema }, async (request, reply) => {
    const { path, query } = splitTarget(request.raw.url!);
    const key = readJobKey(path);
    refuseParameters('DELETE', query, bodyOf(request));
    readConditions('DELETE', request.headers);
    if (!(await jobs.delete(key))) missing();
    return reply.code(204).header('cache-control', 'no-store').send();
  });
}

function bodyOf(request: FastifyRequest): Body | undefined {
  return request.body as Body | undefined;
}

function missing(): never {
  throw new DalgaError('not_found', 'there is no such job');
}
