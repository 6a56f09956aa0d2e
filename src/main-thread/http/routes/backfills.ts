import type { FastifyInstance, FastifyReply } from 'fastify';
import type { NamedSpan } from '../../../database/span-statements.ts';
import { DalgaError, invalidParameter } from '../../../errors.ts';
import type { JobKey } from '../../../job/job.ts';
import { formatExact } from '../../../job/rfc3339.ts';
import type { Span } from '../../../job/span.ts';
import type { BackfillService } from '../../backfills.ts';
import {
  backfillJobSchema,
  endBackfillSchema,
  getBackfillSchema,
  listBackfillsSchema,
  runJobSchema,
} from '../backfill-schemas.ts';
import { type Body, refuseBody } from '../body.ts';
import { refuseConditions } from '../conditions.ts';
import { readJobKey } from '../job-key.ts';
import { decodeUtf8 } from '../job-view.ts';
import { time } from '../parameter-types.ts';
import { refuseParameters } from '../parameters.ts';
import { noSuchJob } from '../problem.ts';
import { readCall, readQuery } from '../query.ts';
import { splitTarget } from '../request-target.ts';
import { sendJson } from '../send.ts';

const JOB = '/jobs/:routing_key/:job';

/** What is asked for beside the schedules: a run by hand, and the runs of a part of the past. */
export function addBackfillRoutes(app: FastifyInstance, backfills: BackfillService): void {
  app.post(`${JOB}/run`, { schema: runJobSchema }, async (request, reply) => {
    const { path, query } = splitTarget(request.raw.url!);
    const key = readJobKey(path);
    refuseConditions('run', request.headers);
    refuseParameters('run', query, request.body as Body | undefined);
    return accepted(reply, key, (await backfills.run(key)) ?? noSuchJob());
  });

  app.post(`${JOB}/backfill`, { schema: backfillJobSchema }, async (request, reply) => {
    const { path, query } = splitTarget(request.raw.url!);
    const key = readJobKey(path);
    refuseConditions('backfill', request.headers);
    const { from, to } = readCall('backfill', query, request.body as Body | undefined, {
      from: time,
      to: time,
    });
    if (from === undefined)
      throw invalidParameter('from', 'is missing: it says with which time the backfill begins');
    if (to === undefined)
      throw invalidParameter('to', 'is missing: it says before which time the backfill ends');
    if (to <= from) throw invalidParameter('to', 'must be after from');
    return accepted(reply, key, (await backfills.backfill(key, { from, to })) ?? noSuchJob());
  });

  app.get('/backfills', { schema: listBackfillsSchema }, async (request, reply) => {
    readQuery('GET /backfills', splitTarget(request.raw.url!).query, {});
    refuseBody(request);
    return sendJson(reply, 200, JSON.stringify({ backfills: (await backfills.list()).map(formatNamed) }));
  });

  app.get('/backfills/:id', { schema: getBackfillSchema }, async (request, reply) => {
    const { path, query } = splitTarget(request.raw.url!);
    const id = readId(path);
    readQuery('GET', query, {});
    refuseBody(request);
    return sendJson(reply, 200, JSON.stringify(formatNamed((await backfills.get(id)) ?? noSuchBackfill())));
  });

  app.delete('/backfills/:id', { schema: endBackfillSchema }, async (request, reply) => {
    const { path, query } = splitTarget(request.raw.url!);
    const id = readId(path);
    refuseParameters('DELETE', query, request.body as Body | undefined);
    if (!(await backfills.end(id))) noSuchBackfill();
    return reply.code(204).header('cache-control', 'no-store').send();
  });
}

function accepted(reply: FastifyReply, { routingKey, job }: JobKey, span: Span): FastifyReply {
  return sendJson(
    reply.header('location', `/backfills/${span.id}`),
    202,
    JSON.stringify(format(span, routingKey, job)),
  );
}

function formatNamed(span: NamedSpan): object {
  return format(span, decodeUtf8(span.routingKey), decodeUtf8(span.job));
}

function format({ id, kind, from, to, position, published, created }: Span, routingKey: string, job: string) {
  return {
    id: String(id),
    kind,
    job,
    routing_key: routingKey,
    from: from === null ? null : formatExact(from),
    to: to === null ? null : formatExact(to),
    position: formatExact(position),
    published,
    created: formatExact(created),
  };
}

/** Whatever is no number of a backfill is the number of none. */
function readId(path: string): number {
  const [, , text = ''] = path.split('/');
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : noSuchBackfill();
}

function noSuchBackfill(): never {
  throw new DalgaError('not_found', 'there is no such backfill or run, or it has ended');
}
