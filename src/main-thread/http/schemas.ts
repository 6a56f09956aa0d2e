import { DalgaError, type ErrorCode } from '../../errors.ts';
import { JOB_LIMIT, ROUTING_KEY_LIMIT } from '../../job/job.ts';
import { PROBLEM_TYPE } from './problem.ts';
import { changeParameters, putParameters } from './schedule-schema.ts';
import { CODES } from './shared-schemas.ts';

/*
 * The routes' schemas. They describe the API in the OpenAPI document and validate nothing: parameters come from
 * three places and are merged, and each refusal is to name the parameter and the rule, so parameters.ts and
 * job-key.ts do it.
 */

export const params = {
  type: 'object',
  required: ['routing_key', 'job'],
  properties: {
    routing_key: {
      type: 'string',
      minLength: 1,
      maxLength: ROUTING_KEY_LIMIT,
      description: `The message's routing key: 1 to ${ROUTING_KEY_LIMIT} bytes of UTF-8, percent-encoded; not "." or ".."`,
      examples: ['check_feed'],
    },
    job: {
      type: 'string',
      minLength: 1,
      maxLength: JOB_LIMIT,
      description: `The job, which is also the message's body: 1 to ${JOB_LIMIT} bytes of UTF-8, percent-encoded (a slash as %2F); not "." or ".."`,
      examples: ['1234'],
    },
  },
};

/** One parameter given twice, in whatever places, is refused. */
function parametersOf(properties: Readonly<Record<string, object>>) {
  return {
    querystring: { type: 'object', properties, additionalProperties: false },
    body: bodyOf(properties),
  };
}

export const bodyOf = (properties: Readonly<Record<string, object>>) => ({
  content: {
    'application/json': {
      schema: {
        type: 'object',
        description: 'The parameters as members of one object, each with its JSON type',
        properties,
        additionalProperties: false,
        examples: [{ interval: 60 }],
      },
    },
    'application/x-www-form-urlencoded': {
      schema: {
        type: 'object',
        description: 'The parameters as in a query string',
        properties,
        additionalProperties: false,
        examples: [{ interval: 60 }],
      },
    },
  },
});

const job = { 'application/json': { schema: { $ref: 'Job#' } } };

/** What every route may answer, Node's own parser included. */
export const ANYWHERE: readonly ErrorCode[] = [
  'malformed_request',
  'request_timeout',
  'headers_too_large',
  'internal',
  'stopping',
];

export const READ: readonly ErrorCode[] = [
  ...ANYWHERE,
  'invalid_parameter',
  'unknown_parameter',
  'not_found',
  'not_ready',
  'database_unavailable',
];

export const OF_WRITE: readonly ErrorCode[] = [
  ...READ,
  'body_too_large',
  'unsupported_media_type',
  'not_owner',
  'outcome_unknown',
];

const ETAG = {
  ETag: { type: 'string', description: 'The entity tag of the job as it is stored: for If-Match' },
};

const IF_MATCH = {
  'If-Match': {
    type: 'string',
    description: 'Entity tags, or *: 412 when the stored job is none of them',
  },
};

/** Every 503 has it. */
const RETRY_AFTER = { 'Retry-After': { type: 'integer', description: 'Seconds to wait' } };

/** The responses for some codes, by status. */
export function problems(codes: readonly ErrorCode[]): Record<string, object> {
  const meanings = new Map<number, string[]>();
  for (const code of codes) {
    const { status } = new DalgaError(code, '');
    meanings.set(status, [...(meanings.get(status) ?? []), `\`${code}\`: ${CODES[code]}`]);
  }
  const content = { [PROBLEM_TYPE]: { schema: { $ref: 'Problem#' } } };
  return Object.fromEntries(
    [...meanings].map(([status, of]) => [
      status,
      { description: of.join('; '), content, ...(status === 503 ? { headers: RETRY_AFTER } : {}) },
    ]),
  );
}

export const putJobSchema = {
  operationId: 'putJob',
  tags: ['jobs'],
  summary: 'Create or replace a job',
  description:
    'Parameters come in the query string, as a form body or as a JSON body. A PUT whose schedule equals the stored one keeps the phase; where all is equal nothing is written. It needs an interval or cron, or one_off with first_run, interval or immediate.',
  params,
  ...parametersOf(putParameters),
  headers: {
    type: 'object',
    properties: {
      ...IF_MATCH,
      'If-None-Match': { type: 'string', enum: ['*'], description: 'Only create: 412 when the job exists' },
    },
  },
  response: {
    200: { description: 'The job was replaced, or was so already', headers: ETAG, content: job },
    201: { description: 'The job was created', headers: ETAG, content: job },
    ...problems([
      ...OF_WRITE.filter((code) => code !== 'not_found'),
      'duplicate_parameter',
      'precondition_failed',
      'insufficient_memory',
    ]),
  },
};

export const getJobSchema = {
  operationId: 'getJob',
  tags: ['jobs'],
  summary: 'Read a job',
  params,
  headers: { type: 'object', properties: IF_MATCH },
  response: {
    200: { description: 'The job', headers: ETAG, content: job },
    ...problems([...READ, 'precondition_failed']),
  },
};

export const postJobSchema = {
  operationId: 'postJob',
  tags: ['jobs'],
  summary: 'Change a job',
  description:
    'Parameters come as for PUT; what is not named stays, and what is null in JSON is taken away. One that names interval, cron, first_run, one_off or immediate=true plans the job anew from now, even with the same value; one that names another part of the schedule keeps its phase, and one that names none the next run.',
  params,
  ...parametersOf(changeParameters),
  headers: { type: 'object', properties: IF_MATCH },
  response: {
    200: { description: 'The job after the change', headers: ETAG, content: job },
    ...problems([...OF_WRITE, 'duplicate_parameter', 'precondition_failed', 'insufficient_memory']),
  },
};

export const patchJobSchema = {
  ...postJobSchema,
  operationId: 'patchJob',
  summary: 'Pause, resume or change a job',
  description:
    'The same as POST. With enabled=false the job is paused, with enabled=true it goes on at its phase; a note says why.',
};

export const deleteJobSchema = {
  operationId: 'deleteJob',
  tags: ['jobs'],
  summary: 'Delete a job',
  params,
  headers: { type: 'object', properties: IF_MATCH },
  response: {
    204: { type: 'null', description: 'The job is deleted' },
    ...problems([...OF_WRITE, 'precondition_failed']),
  },
};

const line = { $ref: 'JobLine#' };

export const importJobsSchema = {
  operationId: 'importJobs',
  tags: ['jobs'],
  summary: 'Create or replace many jobs',
  description:
    'A job a line, as NDJSON, of any length. Every valid line is stored, as by a PUT, whatever others are. The answer is NDJSON too: at most one line of progress a second while the body arrives, then a line for each refused line (the first 1,000), and last the totals. `complete` is false when the load ended early; what the totals count is stored all the same.',
  body: { content: { 'application/x-ndjson': { schema: line } } },
  response: {
    200: {
      description: 'Progress, what was refused, and the totals',
      content: { 'application/x-ndjson': { schema: { $ref: 'ImportLine#' } } },
    },
    ...problems([...OF_WRITE.filter((code) => code !== 'not_found'), 'insufficient_memory']),
  },
};

/** Which jobs are meant: those that are all of it. */
const filters = {
  routing_key: { type: 'string', description: 'The routing key', examples: ['check_feed'] },
  routing_key_prefix: { type: 'string', description: 'How the routing key begins', examples: ['check_'] },
  job_prefix: {
    type: 'string',
    description: 'How the job begins: quickest together with routing_key',
    examples: ['https://example.com/'],
  },
  tag: { type: 'string', description: 'One of its tags', examples: ['news'] },
  kind: {
    type: 'string',
    enum: ['interval', 'one_off', 'calendar', 'cron'],
    description: 'What its schedule is; calendar is an interval with years, months, weeks or days',
    examples: ['cron'],
  },
  enabled: { type: 'boolean', description: 'False: only those that are paused', examples: [false] },
};

export const listJobsSchema = {
  operationId: 'listJobs',
  tags: ['jobs'],
  summary: 'Read many jobs',
  description:
    'A page of jobs as JSON, in the order of routing key and job (of its first 200 bytes). Each page looks at 5,000 jobs at most: under a filter it may have fewer than limit, even none, and yet a next page; the last one has null as next. A page also ends at some MB. Where Accept names application/x-ndjson the answer is all jobs that the filters mean, a job a line, in no order, in the form that POST takes: of an export an import makes the same jobs, with their phases; limit, cursor and sort are not taken then. Jobs that change meanwhile may be in it as before or as after.',
  querystring: {
    type: 'object',
    properties: {
      ...filters,
      limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100, description: 'Jobs of a page' },
      cursor: { type: 'string', description: 'next of the page before; with the same filters' },
      sort: {
        type: 'string',
        enum: ['key', 'next_run'],
        default: 'key',
        description:
          'next_run: the next ones due, as the scheduler has them, on the instance that owns the table. There is no next page; under a filter the next 5,000 due are looked at.',
      },
    },
    additionalProperties: false,
  },
  response: {
    200: {
      description: 'The jobs',
      content: {
        'application/json': { schema: { $ref: 'JobPage#' } },
        'application/x-ndjson': { schema: line },
      },
    },
    ...problems([...READ, 'duplicate_parameter', 'not_acceptable', 'not_owner']),
  },
};

const dryRun = {
  dry_run: { type: 'boolean', default: false, description: 'Nothing is written: the answer only counts' },
};

const refusal = {
  type: 'object',
  required: ['routing_key', 'job', 'code', 'detail'],
  properties: Object.fromEntries(
    ['routing_key', 'job', 'code', 'parameter', 'detail'].map((name) => [name, { type: 'string' }]),
  ),
};

function manyResponse(what: 'changed' | 'deleted') {
  const count = { type: 'integer' };
  return {
    200: {
      description: 'How many',
      content: {
        'application/json': {
          schema: {
            type: 'object',
            required: ['matched', what, 'refused', 'errors'],
            properties: {
              matched: { ...count, description: 'Jobs that the filters mean' },
              [what]: count,
              refused: { ...count, description: 'Jobs that cannot be changed so' },
              errors: { type: 'array', description: 'The first 10 of those', items: refusal },
            },
          },
        },
      },
    },
    ...problems([
      ...OF_WRITE.filter((code) => code !== 'not_found'),
      'duplicate_parameter',
      'insufficient_memory',
    ]),
  };
}

const MANY =
  'It needs one filter at least. What is added meanwhile may be met or not; a fault of MySQL in the middle is told as such, and what was written by then stays.';

export const patchJobsSchema = {
  operationId: 'patchJobs',
  tags: ['jobs'],
  summary: 'Pause, resume or change many jobs',
  description: `Each job that the filters mean is changed as by a PATCH of its own: the filters stand in the query string, the changes in the body. ${MANY}`,
  querystring: { type: 'object', properties: { ...filters, ...dryRun }, additionalProperties: false },
  body: bodyOf(changeParameters),
  response: manyResponse('changed'),
};

export const deleteJobsSchema = {
  operationId: 'deleteJobs',
  tags: ['jobs'],
  summary: 'Delete many jobs',
  description: `Each job that the filters mean is deleted. ${MANY}`,
  querystring: { type: 'object', properties: { ...filters, ...dryRun }, additionalProperties: false },
  response: manyResponse('deleted'),
};

function status(value: string): object {
  return {
    'application/json': {
      schema: {
        type: 'object',
        required: ['status'],
        properties: { status: { type: 'string', enum: [value] } },
      },
    },
  };
}

export const healthSchema = {
  operationId: 'getHealth',
  tags: ['service'],
  summary: 'Whether the process works: for a restart by an orchestrator',
  response: {
    200: { description: 'Its threads turn', content: status('ok') },
    ...problems(ANYWHERE),
    503: {
      description: 'One of its threads does not answer',
      headers: RETRY_AFTER,
      content: status('failing'),
    },
  },
};

const readiness = { 'application/json': { schema: { $ref: 'Readiness#' } } };

export const readinessSchema = {
  operationId: 'getReadiness',
  tags: ['service'],
  summary: 'Whether it owns the table, has loaded, and reaches both servers',
  response: {
    200: { description: 'Ready', content: readiness },
    ...problems(ANYWHERE),
    503: { description: 'Not ready, and why', headers: RETRY_AFTER, content: readiness },
  },
};

export const metricsSchema = {
  operationId: 'getMetrics',
  tags: ['service'],
  summary: 'Metrics for Prometheus',
  description: "In Prometheus' text format; the README has a table of them.",
  response: {
    200: {
      description: 'All metrics, of this moment',
      content: { 'text/plain; version=0.0.4; charset=utf-8': { schema: { type: 'string' } } },
    },
    ...problems(ANYWHERE),
  },
};

export const documentSchema = {
  operationId: 'getOpenapi',
  tags: ['service'],
  summary: 'This document',
  response: {
    200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: { type: 'object' } } } },
    ...problems(ANYWHERE),
  },
};
