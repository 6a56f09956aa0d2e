import type { FastifyInstance, FastifyRequest } from 'fastify';
import { invalidParameter } from '../../../errors.ts';
import type { JobRequest } from '../../../job/change-row.ts';
import { isEverything } from '../../../job/job-filter.ts';
import { checkCombination } from '../../../job/plan.ts';
import type { JobService } from '../../job-service.ts';
import type { ManyResult } from '../../many-jobs.ts';
import type { Body } from '../body.ts';
import { refuseConditions } from '../conditions.ts';
import { filterOf, filterTypes } from '../filters.ts';
import { decodeUtf8 } from '../job-view.ts';
import { boolean } from '../parameter-types.ts';
import { readParameters, refuseInBody } from '../parameters.ts';
import { readQuery } from '../query.ts';
import { splitTarget } from '../request-target.ts';
import { deleteJobsSchema, patchJobsSchema } from '../schemas.ts';
import { sendJson } from '../send.ts';

const PATH = '/jobs';
const types = { ...filterTypes, dry_run: boolean } as const;

/** Changes of all jobs that a filter means. The filter stands in the query string, the change in the body. */
export function addManyRoutes(app: FastifyInstance, jobs: JobService): void {
  app.patch(PATH, { schema: patchJobsSchema }, async (request, reply) => {
    const body = request.body as Body | undefined;
    const query = readMany('PATCH', request, ' in the query string, and what is to change in the body');
    const change = readParameters('in its body PATCH /jobs', '', body);
    if (Object.keys(change).length === 0)
      throw invalidParameter('enabled', 'or another parameter is required in the body');
    checkCombination(change);
    return sendJson(reply, 200, format('changed', await applyTo(jobs, request, query, change)));
  });

  app.delete(PATH, { schema: deleteJobsSchema }, async (request, reply) => {
    refuseInBody(`DELETE ${PATH}`, request.body as Body | undefined);
    const query = readMany('DELETE', request);
    return sendJson(reply, 200, format('deleted', await applyTo(jobs, request, query, null)));
  });
}

type Many = { readonly filter: ReturnType<typeof filterOf>; readonly dryRun: boolean };

/** Without a filter all jobs would be meant, by whoever forgot it. */
function readMany(method: string, request: FastifyRequest, elsewhere = ''): Many {
  refuseConditions(`${method} ${PATH}`, request.headers);
  const values = readQuery(`${method} ${PATH}`, splitTarget(request.raw.url!).query, types, elsewhere);
  const filter = filterOf(values);
  if (isEverything(filter)) {
    throw invalidParameter(
      'routing_key',
      'or another filter is required, since without one all jobs would be meant',
    );
  }
  return { filter, dryRun: values.dry_run ?? false };
}

function applyTo(
  jobs: JobService,
  { raw }: FastifyRequest,
  query: Many,
  change: JobRequest | null,
): Promise<ManyResult> {
  return jobs.changeMany({ ...query, change, isGone: () => raw.socket.destroyed });
}

function format(what: 'changed' | 'deleted', { matched, changed, refused, errors }: ManyResult): string {
  return JSON.stringify({
    matched,
    [what]: changed,
    refused,
    errors: errors.map(({ routingKey, job, error }) => ({
      routing_key: decodeUtf8(routingKey),
      job: decodeUtf8(job),
      code: error.code,
      parameter: error.parameter,
      detail: error.message,
    })),
  });
}
