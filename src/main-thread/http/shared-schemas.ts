import type { ErrorCode } from '../../errors.ts';
import { INTERVAL_LIMIT } from '../../job/job.ts';
import { exactTime } from './answer-schemas.ts';
import { problemType } from './problem.ts';
import { message, pace, putParameters, schedule, state } from './schedule-schema.ts';

/** When each code is answered, for the document. */
export const CODES: Record<ErrorCode, string> = {
  invalid_parameter: 'a parameter, or a part of the path, breaks a rule',
  unknown_parameter: 'a parameter that this call does not take',
  duplicate_parameter: 'a parameter was given twice, in whatever places',
  malformed_request: 'not HTTP, not JSON, or not percent-encoded as it must be',
  not_found: 'no such job, or no such path',
  method_not_allowed: 'the path exists, but not with this method; Allow names those that it takes',
  not_acceptable: 'Accept names nothing that this call answers',
  request_timeout: 'the request did not arrive in time',
  precondition_failed: 'the job exists (If-None-Match: *), or is not what If-Match names',
  body_too_large: 'the body is beyond the limit',
  uri_too_long: 'the URI is beyond the limit',
  unsupported_media_type: 'a body that is neither JSON nor a form',
  headers_too_large: 'request line and headers are beyond the limit',
  too_many_backfills: 'as many backfills and runs by hand are open as may be; some must end first',
  internal: 'a fault in Dalga; the log tells it',
  not_ready: 'not yet: the table is still being taken over or loaded',
  not_owner: 'another instance owns the table: changes go there',
  database_unavailable: 'MySQL cannot be used now; nothing was written',
  outcome_unknown: 'the only refusal after which the change may be stored or not',
  stopping: 'Dalga is stopping',
  too_many_listeners: 'as many listen to the events as may',
  insufficient_memory: 'the job does not fit into the memory limit',
};

const { cron, location, gap, overlap, last_run, max_runs, exclude, jitter, misfire, misfire_age } = schedule;

/** Durations of hours, minutes and seconds are shown in seconds. */
const inSeconds = { type: 'integer', minimum: 1, maximum: INTERVAL_LIMIT };

/** What a job shows only when it uses it: never null, which only takes something away. */
const OPTIONS = {
  ...shown({
    cron,
    location,
    gap,
    overlap,
    not_before: pace.not_before,
    last_run,
    max_runs,
    exclude,
    misfire,
  }),
  ...shown({ ...state, ...message }),
  jitter: { ...inSeconds, description: jitter.description },
  misfire_age: { ...inSeconds, description: misfire_age.description },
  enabled: { type: 'boolean', enum: [false], description: 'Only there for a job that is paused' },
  expiration: {
    anyOf: [inSeconds, { type: 'string', enum: ['none'] }],
    description: message.expiration.description,
  },
};

type Shown = {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly description: string;
};

/** Parameters without null. */
function shown(parameters: Readonly<Record<string, Shown>>): Record<string, object> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { type, enum: values, ...schema }]) => [
      name,
      {
        ...(type && { type: typeof type === 'string' ? type : type.find((each) => each !== 'null') }),
        ...(values && { enum: values.filter((value) => value !== null) }),
        ...schema,
      },
    ]),
  );
}

const counted = {
  lines: { type: 'integer' },
  stored: { type: 'integer', description: 'Jobs that are stored as asked, created ones among them' },
  created: { type: 'integer' },
  refused: { type: 'integer' },
};

const why = { code: { type: 'string' }, detail: { type: 'string' } };

/** The schema that the document names, under components. */
const backfillSchema = {
  $id: 'Backfill',
  type: 'object',
  description: 'A backfill or run by hand that is open',
  required: ['id', 'kind', 'job', 'routing_key', 'from', 'to', 'position', 'published', 'created'],
  properties: {
    id: { type: 'string', description: 'Decimal digits, never used again' },
    kind: { type: 'string', enum: ['run', 'backfill'] },
    job: { type: 'string' },
    routing_key: { type: 'string' },
    from: { type: ['string', 'null'], format: 'date-time', description: 'Null for a run' },
    to: { type: ['string', 'null'], format: 'date-time', description: 'Null for a run' },
    position: {
      ...exactTime,
      description: 'The next time to be published: all before it are. Of a run the time that it carries',
    },
    published: { type: 'integer', minimum: 0, description: 'Messages so far' },
    created: { ...exactTime, description: 'When it was asked for' },
  },
  examples: [
    {
      ...{ id: '7', kind: 'backfill', job: '1234', routing_key: 'check_feed' },
      ...{ from: '2014-11-11T00:00:00Z', to: '2014-11-12T00:00:00Z', position: '2014-11-11T07:30:00Z' },
      ...{ published: 90, created: '2014-11-12T09:00:00.123Z' },
    },
  ],
};

/** The schemas that the document names, under components. */
export const sharedSchemas = [
  {
    $id: 'Job',
    type: 'object',
    description: 'A job. The first four keys are always there, in this order.',
    required: ['job', 'routing_key', 'interval', 'next_run'],
    properties: {
      job: { type: 'string', description: 'The job, as it was named in the path' },
      routing_key: { type: 'string', description: "The message's routing key" },
      interval: {
        description: 'Seconds, or the ISO 8601 duration that was given; null for a one-off or cron job',
        anyOf: [
          { type: 'integer', minimum: 1, maximum: INTERVAL_LIMIT },
          { type: 'string', format: 'duration' },
          { type: 'null' },
        ],
      },
      next_run: {
        type: ['string', 'null'],
        format: 'date-time',
        description: 'RFC 3339, UTC, whole seconds (cut); null when the job is paused',
      },
      one_off: { type: 'boolean', enum: [true], description: 'Only there for a one-off job' },
      ...OPTIONS,
    },
    examples: [{ job: '1234', routing_key: 'check_feed', interval: 60, next_run: '2014-11-11T22:11:40Z' }],
  },
  {
    $id: 'JobPage',
    type: 'object',
    required: ['jobs', 'next', 'total'],
    properties: {
      jobs: { type: 'array', items: { $ref: 'Job#' } },
      next: {
        type: ['string', 'null'],
        description: 'cursor of the next page, which only Dalga can read; null when this is the last one',
      },
      total: {
        type: ['integer', 'null'],
        description: 'About how many jobs there are: an estimate. Null under a filter, where it is not known',
      },
    },
    examples: [
      {
        jobs: [{ job: '1234', routing_key: 'check_feed', interval: 60, next_run: '2014-11-11T22:11:40Z' }],
        next: null,
        total: 1,
      },
    ],
  },
  {
    $id: 'Problem',
    type: 'object',
    description: 'A refusal (RFC 9457). Nothing was written, but for the code outcome_unknown.',
    required: ['type', 'title', 'status', 'detail', 'code'],
    properties: {
      type: {
        type: 'string',
        format: 'uri',
        description: `${problemType('not_found').replace('not_found', '')} and the code`,
      },
      title: { type: 'string', description: 'What the code means' },
      status: { type: 'integer', description: 'The HTTP status' },
      detail: { type: 'string', description: 'What is wrong here: the parameter and the rule' },
      code: {
        type: 'string',
        enum: Object.keys(CODES),
        description: `Stable, for programs:\n${Object.entries(CODES)
          .map(([code, meaning]) => `- \`${code}\`: ${meaning}`)
          .join('\n')}`,
      },
      parameter: { type: 'string', description: 'The parameter at fault, where there is one' },
    },
    examples: [
      {
        type: problemType('invalid_parameter'),
        title: 'A parameter is invalid',
        status: 400,
        detail: `interval must be a whole number of seconds from 1 to ${INTERVAL_LIMIT}, or an ISO 8601 duration`,
        code: 'invalid_parameter',
        parameter: 'interval',
      },
    ],
  },
  backfillSchema,
  {
    $id: 'JobLine',
    type: 'object',
    description: 'A job as a line of NDJSON',
    required: ['routing_key', 'job'],
    properties: {
      routing_key: { type: 'string', description: '1 to 255 bytes of UTF-8' },
      job: { type: 'string', description: '1 to 20000 bytes of UTF-8' },
      ...putParameters,
      anchored: {
        type: 'boolean',
        description:
          'False in an export: first_run is a phase that Dalga chose, and a PUT without it keeps it',
      },
      not_before: pace.not_before,
    },
    additionalProperties: false,
    examples: [{ routing_key: 'check_feed', job: '1234', interval: 60 }],
  },
  {
    $id: 'ImportLine',
    description: 'Progress, a refusal, or the totals',
    anyOf: [
      { type: 'object', description: 'Progress', required: Object.keys(counted), properties: counted },
      {
        type: 'object',
        description: 'A line that was refused',
        required: ['line', 'code', 'detail'],
        properties: {
          line: { type: 'integer', description: 'Its number, from 1' },
          parameter: { type: 'string' },
          ...why,
        },
      },
      {
        type: 'object',
        description: 'The totals: the last line',
        required: ['complete', ...Object.keys(counted)],
        properties: {
          complete: {
            type: 'boolean',
            description: 'Whether the whole body was read; code and detail say why not',
          },
          ...counted,
          ...why,
        },
      },
    ],
    examples: [{ complete: true, lines: 1000000, stored: 999999, created: 999999, refused: 1 }],
  },
  {
    $id: 'Readiness',
    type: 'object',
    required: ['ready', 'reasons'],
    properties: {
      ready: { type: 'boolean' },
      reasons: {
        type: 'object',
        description: 'Why it is not ready, by the part that is not',
        additionalProperties: { type: 'string' },
      },
    },
    examples: [{ ready: false, reasons: { rabbitmq: 'cannot be reached' } }],
  },
];
