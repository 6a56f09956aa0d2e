import { HEADERS_LIMIT } from '../../job/headers.ts';
import { INTERVAL_LIMIT } from '../../job/job.ts';

/** The parameters of a job, as the OpenAPI document tells them. */

const seconds = {
  type: 'integer',
  minimum: 1,
  maximum: INTERVAL_LIMIT,
  description: 'Seconds',
};

const duration = {
  type: 'string',
  format: 'duration',
  description: 'An ISO 8601 duration',
};

const fixedDuration = {
  ...duration,
  pattern: '^PT(?=\\d)(\\d+H)?(\\d+M)?(\\d+S)?$',
  description: 'An ISO 8601 duration of hours, minutes and seconds',
};

function shortString(description: string, example: string) {
  return {
    type: ['string', 'null'],
    maxLength: 255,
    description: `${description} (at most 255 bytes).`,
    examples: [example],
  };
}

/** When the job runs. */
export const schedule = {
  interval: {
    anyOf: [seconds, duration],
    description: `How often the job runs: 1 to ${INTERVAL_LIMIT} seconds, or an ISO 8601 duration. One with years, months, weeks or days goes by the calendar of location. For a one_off job: its delay.`,
    examples: [60, 'PT5M', 'P1M'],
  },
  cron: {
    type: 'string',
    maxLength: 256,
    description:
      'When the job runs, in place of interval: five fields, six with seconds before them, or @hourly, @daily, @weekly, @monthly, @yearly. Where day of month and day of week are both restricted, one of them is enough.',
    examples: ['30 9 * * 1-5'],
  },
  location: {
    type: ['string', 'null'],
    maxLength: 64,
    description: 'The IANA time zone of cron, of a calendar interval and of exclude; UTC by default.',
    examples: ['Europe/Istanbul'],
  },
  gap: {
    type: ['string', 'null'],
    enum: ['skip', 'run', null],
    description:
      "A local time that a change of the clock leaves out: it does not run, or runs at the gap's end. By default it runs, but for a cron expression whose hour is a wildcard.",
    examples: ['run'],
  },
  overlap: {
    type: ['string', 'null'],
    enum: ['first', 'both', null],
    description:
      'A local time that comes twice: it runs at the first, or at both. By default at the first, but for a cron expression whose hour is a wildcard.',
    examples: ['first'],
  },
  first_run: {
    type: 'string',
    format: 'date-time',
    description:
      'When the job runs first, and from where its interval counts: RFC 3339 with a zone, in the years 1970 to 9999, to the millisecond. In a query string or form a + is written as %2B. Also spelled first-run. A cron job does not run before it.',
    examples: ['2030-01-31T12:00:00Z'],
  },
  last_run: {
    type: ['string', 'null'],
    format: 'date-time',
    description: 'The job does not run after this, and is removed then.',
    examples: ['2030-12-31T23:59:59Z'],
  },
  max_runs: {
    type: ['integer', 'null'],
    minimum: 1,
    maximum: INTERVAL_LIMIT,
    description:
      'How many times the job runs before it is removed. Missed runs count, those of a pause do not. At most 10000 for cron.',
    examples: [10],
  },
  one_off: {
    type: 'boolean',
    description:
      'The job runs once and is removed. In a query string or form 1 and 0 work too. Also spelled one-off.',
    examples: [true],
  },
  immediate: {
    type: 'boolean',
    description:
      'The job runs at once, and then goes on at its interval; not together with first_run. In a query string or form 1 and 0 work too.',
    examples: [true],
  },
  exclude: {
    type: ['array', 'null'],
    maxItems: 100,
    items: { type: 'string', maxLength: 256 },
    description:
      'When the job does not run: dates, ranges of dates (both included), and cron expressions, whose minute is left out as a whole where they have five fields. In a query string or form with ; in between.',
    examples: [['2026-12-25', '2026-12-28/2026-12-31', '* 0-6 * * *']],
  },
  jitter: {
    anyOf: [seconds, fixedDuration, { type: 'null' }],
    description:
      'Each run is moved later by up to this, by a number that follows from the job and the run; never to the next run.',
    examples: [30],
  },
  phase: {
    type: 'string',
    enum: ['spread'],
    description:
      'The phase of an interval follows from the name of the job, so that many jobs are spread evenly; not together with first_run.',
    examples: ['spread'],
  },
  misfire: {
    type: ['string', 'null'],
    enum: ['once', 'skip', 'all', null],
    description:
      'What becomes of runs that were missed: one run for all of them (the default), none, or each of them (the latest 1000, see DALGA_MISFIRE_BACKLOG).',
    examples: ['skip'],
  },
  misfire_age: {
    anyOf: [seconds, fixedDuration, { type: 'null' }],
    description: 'A missed run that is older than this does not run.',
    examples: [3600],
  },
};

/** What a change may name beside that. */
export const pace = {
  not_before: {
    type: ['string', 'null'],
    format: 'date-time',
    description:
      'The next run is not to come before this; the phase is kept. It takes the place of an earlier one, and null ends that.',
    examples: ['2030-01-31T12:00:00Z'],
  },
  shift: {
    type: 'integer',
    minimum: -INTERVAL_LIMIT,
    maximum: INTERVAL_LIMIT,
    description: 'Seconds by which the phase is moved; not for cron, which has none.',
    examples: [30],
  },
};

/** Whether it runs, and what is said of it. */
export const state = {
  enabled: {
    type: 'boolean',
    description:
      'False: the job is paused. When it goes on it keeps its phase, and makes up for nothing. A PUT that does not name it leaves it as it is.',
    examples: [false],
  },
  note: {
    type: ['string', 'null'],
    maxLength: 1000,
    description:
      'A remark, as why it is paused: at most 1000 bytes. A PUT that does not name it leaves it as it is.',
    examples: ['the feed is moving'],
  },
  tags: {
    type: ['array', 'null'],
    maxItems: 32,
    items: { type: 'string', maxLength: 64, pattern: '^[^\\s,]+$' },
    description: 'Words to find jobs by. In a query string or form with commas in between.',
    examples: [['news', 'slow']],
  },
};

/** What its messages have. */
export const message = {
  payload: {
    type: ['string', 'null'],
    description: "The message's body, in place of the job: at most 1 MiB.",
    examples: ['{"feed":1234}'],
  },
  payload_encoding: {
    type: 'string',
    enum: ['base64'],
    description: 'payload is written in base64.',
    examples: ['base64'],
  },
  content_type: shortString("The message's content type", 'application/json'),
  headers: {
    type: ['object', 'null'],
    description: `The message's headers, with their JSON types: at most ${HEADERS_LIMIT} bytes as an AMQP table; not CC and BCC, and none that begins with x-dalga-. In a query string or form as JSON.`,
    examples: [{ source: 'feeds', depth: 2 }],
  },
  priority: {
    type: ['integer', 'null'],
    minimum: 0,
    maximum: 255,
    description: "The message's priority.",
    examples: [5],
  },
  expiration: {
    anyOf: [seconds, fixedDuration, { type: 'string', enum: ['none'] }, { type: 'null' }],
    description:
      'How long the message may wait in a queue. By default until the next run; none, and by default for a one_off job: for ever.',
    examples: ['none'],
  },
  exchange: shortString('Where the message goes in place of the configured exchange', 'feeds'),
  correlation_id: shortString("The message's correlation_id", 'order-1234'),
  reply_to: shortString("The message's reply_to, not amq.rabbitmq.reply-to", 'results'),
  type: shortString("The message's type", 'feed.check'),
};

/** What a PUT may name. */
export const putParameters = { ...schedule, ...state, ...message };

/** What a POST or PATCH may name. */
export const changeParameters = { ...putParameters, ...pace };
