import { INTERVAL_LIMIT } from '../../job/job.ts';

/** The parameters of a schedule, as the OpenAPI document tells them. */

const seconds = {
  type: 'integer',
  minimum: 1,
  maximum: INTERVAL_LIMIT,
  description: 'Seconds',
};

const duration = {
  type: 'string',
  format: 'duration',
  pattern: '^PT(?=\\d)(\\d+H)?(\\d+M)?(\\d+S)?$',
  description: 'An ISO 8601 duration of hours, minutes and seconds',
};

export const schedule = {
  interval: {
    anyOf: [seconds, duration],
    description: `How often the job runs: 1 to ${INTERVAL_LIMIT} seconds, or an ISO 8601 duration of hours, minutes and seconds. For a one_off job: its delay.`,
    examples: [60, 'PT5M'],
  },
  first_run: {
    type: 'string',
    format: 'date-time',
    description:
      'When the job runs first, and from where its interval counts: RFC 3339 with a zone, in the years 1970 to 9999, to the millisecond. In a query string or form a + is written as %2B. Also spelled first-run.',
    examples: ['2030-01-31T12:00:00Z'],
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
};
