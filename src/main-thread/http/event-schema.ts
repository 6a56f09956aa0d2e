import { EVENT_TYPES } from '../event-types.ts';
import { ANYWHERE, problems } from './schemas.ts';

/** The schema of the stream of events, for the OpenAPI document: see schemas.ts. */

const exactTime = {
  type: 'string',
  format: 'date-time',
  description: 'RFC 3339, UTC, with ms where there are some',
};
const counts = {
  type: 'object',
  additionalProperties: { type: 'integer', minimum: 1 },
};

/** What stands in a `data:` line. */
const data = {
  type: 'object',
  required: ['type', 'at'],
  properties: {
    type: { type: 'string', enum: [...EVENT_TYPES, 'sampled', 'dropped'] },
    at: { ...exactTime, description: 'When this was learned' },
    job: { type: ['string', 'null'], description: 'Null where its name is not known any more' },
    routing_key: { type: 'string' },
    version: { type: 'integer', description: 'Of the job as it is stored; it grows with every change' },
    enabled: { type: 'boolean' },
    next_run: { type: ['string', 'null'], format: 'date-time' },
    kind: {
      type: 'string',
      enum: ['run', 'backfill'],
      description: 'Of a message beside the schedule: a run by hand, or a backfill',
    },
    message_id: { type: 'string' },
    exchange: { type: 'string' },
    rerouted: {
      type: 'boolean',
      description: 'Of returned: the exchange or queue for unroutable messages has taken it',
    },
    scheduled_at: { ...exactTime, description: 'The scheduled time; of runs that were dropped the first' },
    sent_at: { ...exactTime, description: 'When it was handed to a publisher' },
    late_ms: {
      type: 'number',
      description: 'From the scheduled time to the handing over, ms; not of runs by hand and backfills',
    },
    count: {
      type: 'integer',
      description: 'How many earlier runs it stands for; of misfired: how many were missed',
    },
    outcome: {
      type: 'string',
      enum: ['skipped', 'caught_up'],
      description: 'Of misfired: nothing ran for them, or this one run',
    },
    left_out: { ...counts, description: 'Of sampled: how many were left out, by type' },
    dropped: { ...counts, description: 'Of dropped: how many were, by type' },
  },
};

export const eventsSchema = {
  operationId: 'listenToEvents',
  tags: ['jobs'],
  summary: 'What happens to jobs, as it happens',
  description:
    'Server-sent events: `event` is the type, `data` a line of JSON, `id` a number that grows. Of each type about 100 a second are told, and `sampled` says how many were left out; a listener that does not take what comes loses events, and `dropped` says how many. Nothing is told again: Last-Event-ID is ignored. Every 15 s there is a comment. Only the instance that owns the table tells, and the stream ends when it loses the table or stops.',
  querystring: {
    type: 'object',
    properties: {
      type: {
        type: 'string',
        description: `The types to be told of, with commas between: ${EVENT_TYPES.join(', ')}; all by default`,
        examples: ['published,returned'],
      },
      routing_key: {
        type: 'string',
        description: 'Only of jobs with this routing key',
        examples: ['check_feed'],
      },
    },
    additionalProperties: false,
  },
  response: {
    200: {
      description: 'The events, without an end',
      content: { 'text/event-stream': { schema: data } },
    },
    ...problems([
      ...ANYWHERE,
      'invalid_parameter',
      'unknown_parameter',
      'duplicate_parameter',
      'not_acceptable',
      'not_ready',
      'not_owner',
      'too_many_listeners',
    ]),
  },
};
