import { json } from './answer-schemas.ts';
import { ANYWHERE, bodyOf, OF_WRITE, params, problems, READ } from './schemas.ts';

/** The schemas of runs by hand and backfills, for the OpenAPI document: see schemas.ts. */

const time = { type: 'string', format: 'date-time' };

const past = {
  from: {
    ...time,
    description: 'The first time that counts. The schedule has none before its first_run',
    examples: ['2014-11-11T00:00:00Z'],
  },
  to: {
    ...time,
    description: 'The time before which it ends; not in the future',
    examples: ['2014-11-12T00:00:00Z'],
  },
};

const idParams = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'string', description: 'As the 202 told it', examples: ['7'] } },
};

const accepted = (description: string) => ({
  202: {
    description,
    headers: { Location: { type: 'string', description: 'Where it can be asked after: /backfills/{id}' } },
    content: json({ $ref: 'Backfill#' }),
  },
});

export const runJobSchema = {
  operationId: 'runJob',
  tags: ['jobs'],
  summary: 'Run a job now',
  description:
    'Publishes its message once, now: beside its schedule, whose phase stays, and also while it is paused. It does not count for max_runs. The message has the header x-dalga-kind: run, and an id of its own.',
  params,
  response: {
    ...accepted('Stored: its message is published at once, and again until RabbitMQ has confirmed it'),
    ...problems([...OF_WRITE, 'too_many_backfills']),
  },
};

export const backfillJobSchema = {
  operationId: 'backfillJob',
  tags: ['jobs'],
  summary: "Publish a job's runs of a part of the past",
  description:
    'All scheduled times of the schedule as it is, from `from` on and before `to`, at most 100000, in their order and at the rate of DALGA_BACKFILL_RATE for all backfills together; what is due goes first. The messages have the header x-dalga-kind: backfill, and ids of their own. Not of one-off jobs.',
  params,
  querystring: { type: 'object', required: ['from', 'to'], properties: past, additionalProperties: false },
  body: bodyOf(past),
  response: {
    ...accepted('Stored: a stop or a crash does not end it'),
    ...problems([...OF_WRITE, 'duplicate_parameter', 'too_many_backfills']),
  },
};

export const listBackfillsSchema = {
  operationId: 'listBackfills',
  tags: ['jobs'],
  summary: 'The backfills and runs by hand that are open',
  description:
    'In the order in which they were asked for, at most 1000; those that are finished are gone. position and published are those of the last checkpoint.',
  response: {
    200: {
      description: 'Those that are open',
      content: json({
        type: 'object',
        properties: { backfills: { type: 'array', items: { $ref: 'Backfill#' } } },
      }),
    },
    ...problems([...ANYWHERE, 'unknown_parameter', 'database_unavailable']),
  },
};

export const getBackfillSchema = {
  operationId: 'getBackfill',
  tags: ['jobs'],
  summary: 'A backfill or run by hand that is open',
  params: idParams,
  response: {
    200: { description: 'How far it has come', content: json({ $ref: 'Backfill#' }) },
    ...problems(READ.filter((code) => code !== 'invalid_parameter')),
  },
};

export const endBackfillSchema = {
  operationId: 'endBackfill',
  tags: ['jobs'],
  summary: 'End a backfill or run by hand',
  description: 'After the answer only what a publisher already had can arrive.',
  params: idParams,
  response: {
    204: { type: 'null', description: 'Ended' },
    ...problems(OF_WRITE.filter((code) => code !== 'invalid_parameter')),
  },
};
