import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Clock } from '../../../clock.ts';
import { DalgaError, invalidParameter } from '../../../errors.ts';
import type { JobFilter } from '../../../job/job-filter.ts';
import type { JobPage, JobService } from '../../job-service.ts';
import { choose } from '../accept.ts';
import { refuseBody } from '../body.ts';
import { formatBulkJob } from '../bulk-job.ts';
import { formatCursor, parseCursor } from '../cursor.ts';
import { filterOf, filterTypes } from '../filters.ts';
import { formatJob } from '../job-view.ts';
import { beginNdjson, drained, NDJSON } from '../ndjson-reply.ts';
import { choice, integer, type ParameterType } from '../parameter-types.ts';
import { readQuery } from '../query.ts';
import { splitTarget } from '../request-target.ts';
import { listJobsSchema } from '../schemas.ts';
import { sendJson } from '../send.ts';

const PATH = '/jobs';
const JSON_TYPE = 'application/json';

/** Jobs of a page, where the client does not say. */
export const DEFAULT_LIMIT = 100;
export const LIMIT = 1000;

const cursor: ParameterType<ReturnType<typeof parseCursor>> = {
  text: parseCursor,
  json: () => {
    throw invalidParameter('cursor', 'stands in the query string');
  },
};

const listTypes = {
  ...filterTypes,
  limit: integer(1, LIMIT),
  cursor,
  sort: choice('key', 'next_run'),
} as const;

/** Reads of many jobs: a page of them as JSON, or all of them as NDJSON, where Accept names that. */
export function addListRoutes(app: FastifyInstance, jobs: JobService, clock: Clock): void {
  app.get(PATH, { schema: listJobsSchema }, async (request, reply) => {
    const { query } = splitTarget(request.raw.url!);
    const type = choose(request.headers.accept, NDJSON, JSON_TYPE);
    if (type === null) {
      throw new DalgaError(
        'not_acceptable',
        `GET ${PATH} answers ${JSON_TYPE}, or ${NDJSON} where Accept names it`,
      );
    }
    refuseBody(request);
    if (type === NDJSON) {
      const filter = filterOf(readQuery(`GET ${PATH} as ${NDJSON}`, query, filterTypes));
      if (request.method === 'GET') return exportJobs(jobs, filter, reply, clock);
      // How long an export is nobody knows before it ends: Fastify would say that it is empty.
      beginNdjson(reply).end();
      return;
    }
    const values = readQuery(`GET ${PATH}`, query, listTypes);
    const { limit = DEFAULT_LIMIT, cursor: after = null, sort = 'key' } = values;
    if (sort === 'next_run' && after !== null) {
      throw invalidParameter(
        'cursor',
        'and sort=next_run exclude each other: the next ones due are always the first page',
      );
    }
    return sendJson(
      reply,
      200,
      formatPage(await jobs.list({ filter: filterOf(values), limit, sort, after })),
    );
  });
}

function formatPage({ views, next, total }: JobPage): string {
  const jobs = views.map(formatJob).join(',');
  return `{"jobs":[${jobs}],"next":${JSON.stringify(next && formatCursor(next))},"total":${total}}`;
}

async function exportJobs(
  jobs: JobService,
  filter: JobFilter,
  reply: FastifyReply,
  clock: Clock,
): Promise<void> {
  const pages = jobs.all(filter)[Symbol.asyncIterator]();
  // What fails at once is told as any other refusal.
  const first = await pages.next();
  const response = beginNdjson(reply);
  try {
    for (let page = first; !page.done; page = await pages.next()) {
      const room = response.write(page.value.map((row) => formatBulkJob(row, clock.now())).join(''));
      if (!room && !response.destroyed) await drained(response);
      if (response.destroyed) break;
    }
    response.end();
  } catch {
    // A client must not take a part for the whole.
    response.destroy();
  } finally {
    await pages.return?.(undefined);
  }
}
