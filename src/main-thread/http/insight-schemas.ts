import { EVENT_NAMES, KIND_NAMES } from '../why.ts';
import { exactTime, json } from './answer-schemas.ts';
import { ADDED_LIMIT, SCHEDULES_LIMIT } from './forecast-request.ts';
import { putParameters } from './schedule-schema.ts';
import { ANYWHERE, bodyOf, params, problems, READ } from './schemas.ts';

/** The schemas of what a person asks, for the OpenAPI document: see schemas.ts. */

const time = { type: 'string', format: 'date-time' };
const count = { type: 'integer', minimum: 0 };
const orNull = (type: string) => ({ type: [type, 'null'] });

const howMany = {
  type: 'integer',
  minimum: 1,
  maximum: 1000,
  default: 20,
  description: 'How many runs are told',
};

const runs = { type: 'array', items: exactTime };
const named = { job: { type: 'string' }, routing_key: { type: 'string' } };

/** What only the owner knows. */
const OF_OWNER = [...READ, 'not_owner', 'duplicate_parameter'] as const;

/** Of what is asked in a body. */
const OF_QUESTION = [
  ...ANYWHERE,
  ...(['invalid_parameter', 'unknown_parameter', 'duplicate_parameter'] as const),
  ...(['body_too_large', 'unsupported_media_type'] as const),
] as const;

export const nextRunsSchema = {
  operationId: 'getNextRuns',
  tags: ['jobs'],
  summary: 'When a job runs next',
  description: 'The coming scheduled times; none of a job that is paused, or has ended.',
  params,
  querystring: { type: 'object', properties: { count: howMany }, additionalProperties: false },
  response: {
    200: {
      description: 'The coming scheduled times',
      content: json({
        type: 'object',
        properties: { ...named, runs },
      }),
    },
    ...problems([...READ, 'duplicate_parameter']),
  },
};

const previewed = {
  ...putParameters,
  count: howMany,
  from: {
    ...time,
    description: 'From when on the runs are told; now by default',
    examples: ['2030-01-01T00:00:00Z'],
  },
};

export const previewSchema = {
  operationId: 'previewSchedule',
  tags: ['jobs'],
  summary: 'When a job would run that is not stored',
  description:
    'Takes what a PUT takes, and refuses what a PUT refuses, so that a cron expression can be looked at first.',
  querystring: { type: 'object', properties: previewed, additionalProperties: false },
  body: bodyOf(previewed),
  response: {
    200: {
      description: 'The coming scheduled times',
      content: json({ type: 'object', properties: { runs } }),
    },
    ...problems(OF_QUESTION),
  },
};

const entry = {
  type: 'object',
  properties: {
    event: {
      type: 'string',
      enum: EVENT_NAMES,
    },
    kind: {
      type: 'string',
      enum: KIND_NAMES,
      description: 'run: asked for by hand; backfill: of a span of the past that was asked for',
    },
    scheduled_at: exactTime,
    sent_at: {
      ...orNull('string'),
      description: 'When it was handed to a publisher; null when it never was',
    },
    at: { ...exactTime, description: 'When this was learned' },
    late_ms: { ...orNull('number'), description: 'From the scheduled time to the handing over, ms' },
    count: { ...count, description: 'How many earlier runs it stands for; of skipped: how many were' },
  },
};

export const historySchema = {
  operationId: 'getHistory',
  tags: ['jobs'],
  summary: 'Why a job ran, or did not',
  description:
    'In words, and the last outcomes that are remembered: those of all jobs have a bounded place in memory, and a restart forgets them. Only the instance that owns the table knows.',
  params,
  response: {
    200: {
      description: 'What is known of its runs',
      content: json({
        type: 'object',
        properties: {
          ...named,
          why: { type: 'string', description: 'What is next and why, and what became of its last run' },
          next_run: orNull('string'),
          entries: { type: 'array', items: entry, description: 'The latest first' },
        },
      }),
    },
    ...problems(OF_OWNER),
  },
};

const steps = { type: 'array', items: count };

const sampled = { type: 'number', description: 'The part of the jobs that was looked at; 1: all of them' };
const routes = {
  type: 'array',
  items: { type: 'object', properties: { routing_key: orNull('string'), steps } },
};

/** What a forecast tells. */
const forecast = {
  from: exactTime,
  to: exactTime,
  step: { ...count, description: 'Seconds' },
  sampled,
  total: count,
  steps,
  routes,
};

export const forecastSchema = {
  operationId: 'getForecast',
  tags: ['jobs'],
  summary: 'How many messages are to come',
  description:
    'How many scheduled times lie in each step, in all and for the 20 busiest routing keys (the others together under null). Of many jobs a sample is looked at.',
  querystring: {
    type: 'object',
    properties: {
      from: { ...time, description: 'Now by default', examples: ['2030-01-01T00:00:00Z'] },
      to: { ...time, description: '60 steps after from by default', examples: ['2030-01-02T00:00:00Z'] },
      step: {
        type: 'integer',
        minimum: 1,
        default: 60,
        description: 'Seconds; there are at most 1000 steps',
        examples: [3600],
      },
    },
    additionalProperties: false,
  },
  response: {
    200: {
      description: 'The forecast',
      content: json({ type: 'object', properties: forecast }),
    },
    ...problems(OF_OWNER),
  },
};

export const addedForecastSchema = {
  operationId: 'forecastWith',
  tags: ['jobs'],
  summary: 'How many messages are to come if jobs were added',
  description:
    'The forecast of what is stored, and beside it what jobs would add that are not stored: as if all of them were stored at this moment. Nothing is. Jobs of one schedule share one phase (what a herd looks like), but with phase=spread, or jitter, they are told as evenly spread as they are on average.',
  body: {
    content: {
      'application/json': {
        schema: {
          type: 'object',
          required: ['schedules'],
          properties: {
            ...forecastSchema.querystring.properties,
            schedules: {
              type: 'array',
              minItems: 1,
              maxItems: SCHEDULES_LIMIT,
              items: {
                type: 'object',
                required: ['routing_key'],
                properties: {
                  routing_key: { type: 'string', minLength: 1, description: 'At most 255 bytes of UTF-8' },
                  count: {
                    type: 'integer',
                    minimum: 1,
                    maximum: ADDED_LIMIT,
                    default: 1,
                    description: 'How many jobs have this schedule',
                  },
                  ...putParameters,
                },
                additionalProperties: false,
              },
            },
          },
          additionalProperties: false,
          examples: [{ step: 60, schedules: [{ routing_key: 'check_feed', count: 200_000, interval: 300 }] }],
        },
      },
    },
  },
  response: {
    200: {
      description: 'The forecast',
      content: json({
        type: 'object',
        properties: {
          ...forecast,
          added: {
            type: 'object',
            description: 'What the jobs would add that are not stored, in the same steps',
            properties: { sampled, total: count, steps, routes },
          },
        },
      }),
    },
    ...problems([...OF_QUESTION, 'not_ready', 'not_owner']),
  },
};

const counts = (...names: readonly string[]) => ({
  type: 'object',
  properties: Object.fromEntries(names.map((name) => [name, count])),
});

export const statusSchema = {
  operationId: 'getStatus',
  tags: ['service'],
  summary: 'How this instance is',
  description: 'What the metrics say, for a person; a standby answers too, of itself.',
  response: {
    200: {
      description: 'Its status',
      content: json({
        type: 'object',
        properties: {
          lease: { type: 'string', enum: ['starting', 'standby', 'owner', 'stopping'] },
          ready: { type: 'boolean' },
          owner: { ...orNull('string'), description: 'Host and address of the instance that owns the table' },
          epoch: orNull('integer'),
          jobs: count,
          due: { ...count, description: 'Jobs whose time has come and that were not taken yet' },
          in_flight: count,
          held_back: count,
          catch_ups_waiting: {
            ...count,
            description: 'Jobs whose catch-up runs wait for DALGA_CATCHUP_RATE',
          },
          lateness: {
            type: 'object',
            description: 'Of the messages of the last minutes, ms; right to a sixteenth',
            properties: {
              minutes: count,
              count,
              ...Object.fromEntries(
                ['p50_ms', 'p99_ms', 'p999_ms', 'max_ms'].map((name) => [name, orNull('number')]),
              ),
            },
          },
          balance: {
            ...counts(
              ...['due', 'confirmed', 'returned', 'superseded', 'skipped', 'cancelled', 'handed_over'],
              ...['in_flight', 'held_back'],
            ),
            description: 'due is the sum of the others',
          },
          watermark_age_ms: orNull('number'),
          memory: { ...counts('used', 'limit'), description: 'Bytes' },
          versions: {
            type: 'object',
            properties: {
              dalga: { type: 'string' },
              node: { type: 'string' },
              mysql: orNull('string'),
              rabbitmq: orNull('string'),
            },
          },
        },
      }),
    },
    ...problems([...ANYWHERE, 'unknown_parameter']),
  },
};
