import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Clock } from '../../../clock.ts';
import { DalgaError } from '../../../errors.ts';
import type { JobService } from '../../job-service.ts';
import { announcesBody } from '../body.ts';
import { importJobs } from '../bulk-import.ts';
import { beginNdjson, NDJSON } from '../ndjson-reply.ts';
import { refuseParameters } from '../parameters.ts';
import { splitTarget } from '../request-target.ts';
import { importJobsSchema } from '../schemas.ts';

const PATH = '/jobs';

/** A body that stands still for this long is given up, ms. */
const SILENCE_LIMIT = 60_000;

export type BulkRoutesOptions = {
  readonly jobs: JobService;
  readonly clock: Clock;
  /** Bytes of one line. */
  readonly lineLimit: number;
  readonly logger?: Pick<Logger, 'error'> | undefined;
};

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A body may take longer to arrive than the limit of a request: the route has one of its own. */
    takesItsTime?: boolean;
  }
}

/** Many jobs in one call, each a line of NDJSON: a stream of any length. How they come out is in list.ts. */
export async function addBulkRoutes(
  app: FastifyInstance,
  { jobs, clock, lineLimit, logger }: BulkRoutesOptions,
): Promise<void> {
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(NDJSON, (_request, body, done) => done(null, body));
    scope.addContentTypeParser('*', (_request, _body, done) => done(notJobs()));

    scope.post(PATH, { schema: importJobsSchema, config: { takesItsTime: true } }, async (request, reply) => {
      refuseParameters('POST', splitTarget(request.raw.url!).query, undefined);
      const encoding = request.headers['content-encoding'] ?? 'identity';
      const body = isEmptyLoad(request) ? Readable.from([]) : (request.body as IncomingMessage | undefined);
      if (body === undefined || encoding !== 'identity') throw notJobs();
      // Whether it takes writes at all is told before anything is read.
      await jobs.putAll([]);
      const response = beginNdjson(reply);
      request.raw.setTimeout(SILENCE_LIMIT, () => request.raw.destroy());
      try {
        await importJobs({
          ...{ body, jobs, clock, lineLimit },
          onUnexpected: (err) => logger?.error({ err }, 'a bulk load failed unexpectedly'),
          tell: (line) => {
            if (!response.writableNeedDrain) response.write(`${line}\n`);
          },
          answer: (line) => response.write(`${line}\n`),
        });
        response.end();
      } catch {
        // The body broke off: nobody is there to be told.
        response.destroy();
      }
    });
  });
}

/** What a Dalga without jobs exports. Of an empty body the type is no header any more: it counts as none. */
function isEmptyLoad(request: FastifyRequest): boolean {
  const { rawHeaders } = request.raw;
  const at = rawHeaders.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'content-type');
  return !announcesBody(request) && at !== -1 && rawHeaders[at + 1]!.split(';')[0]!.trim() === NDJSON;
}

function notJobs(): DalgaError {
  return new DalgaError(
    'unsupported_media_type',
    `POST ${PATH} takes jobs as ${NDJSON}, a line each, without Content-Encoding`,
  );
}
