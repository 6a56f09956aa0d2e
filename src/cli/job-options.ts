import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Job, JobFilters, JobName, PutParameters } from '../client/client.ts';
import { CommandError, type Options, UsageError, type Values } from './command.ts';

/** The parameters of a job as options: the API's names, with hyphens. */

/** When it runs. */
export const SCHEDULE: Options = {
  interval: {
    kind: 'duration',
    value: 'SECONDS',
    says: 'how often it runs: seconds, or an ISO 8601 duration (PT1H30M, P1M)',
  },
  cron: {
    kind: 'text',
    value: 'EXPRESSION',
    says: 'in place of that: five fields, six with seconds, or @daily and the like',
  },
  location: {
    kind: 'text',
    value: 'ZONE',
    says: 'the time zone of a cron expression or calendar interval, as Europe/Istanbul',
  },
  gap: {
    kind: 'text',
    value: 'skip|run',
    says: 'what becomes of a local time that a change of the clock leaves out',
  },
  overlap: { kind: 'text', value: 'first|both', says: 'what becomes of a local time that comes twice' },
  'first-run': {
    kind: 'text',
    value: 'TIME',
    says: 'the first run, and the phase of the later ones: RFC 3339 with a zone',
  },
  'last-run': { kind: 'text', value: 'TIME', says: 'it does not run after this' },
  'max-runs': { kind: 'count', value: 'N', says: 'how often it runs before it is removed' },
  'one-off': { kind: 'flag', says: 'it runs once, at --first-run or after --interval' },
  immediate: { kind: 'flag', says: 'it runs now, and then at its interval' },
  exclude: {
    kind: 'list',
    value: 'WHEN',
    says: 'a date, a range of dates or a cron expression at which it does not run; may be repeated',
  },
  jitter: { kind: 'duration', value: 'SECONDS', says: 'each run is moved later by up to this' },
  phase: {
    kind: 'text',
    value: 'spread',
    says: 'the phase follows from the name of the job, so that many are spread evenly',
  },
  misfire: { kind: 'text', value: 'once|skip|all', says: 'what becomes of missed runs' },
  'misfire-age': { kind: 'duration', value: 'SECONDS', says: 'a missed run that is older does not run' },
};

/** What is said of it, and what its messages have. */
export const MESSAGE: Options = {
  paused: { kind: 'flag', says: 'it does not run until it is resumed' },
  note: { kind: 'text', value: 'TEXT', says: 'a remark, as why it is paused' },
  tag: { kind: 'list', value: 'TAG', says: 'a word to find it by; may be repeated' },
  payload: { kind: 'text', value: 'TEXT', says: "the message's body, in place of the job" },
  'payload-file': {
    kind: 'text',
    value: 'FILE',
    says: 'a file with that body, of any bytes (- for standard input)',
  },
  'payload-encoding': { kind: 'text', value: 'base64', says: '--payload is written in base64' },
  'content-type': { kind: 'text', value: 'TYPE', says: "the message's content type" },
  headers: { kind: 'json', value: 'JSON', says: 'the message\'s headers, as \'{"source":"feeds"}\'' },
  priority: { kind: 'count', value: 'N', says: "the message's priority, 0 to 255" },
  expiration: {
    kind: 'duration',
    value: 'SECONDS',
    says: 'how long the message may wait in a queue: seconds, a duration, or none',
  },
  exchange: { kind: 'text', value: 'NAME', says: 'where it goes in place of the configured exchange' },
  'correlation-id': { kind: 'text', value: 'TEXT', says: "the message's correlation_id" },
  'reply-to': { kind: 'text', value: 'TEXT', says: "the message's reply_to" },
  type: { kind: 'text', value: 'TEXT', says: "the message's type" },
};

/** Which jobs are meant. */
export const FILTERS: Options = {
  'routing-key': { kind: 'text', value: 'KEY', says: 'those with this routing key' },
  'routing-key-prefix': { kind: 'text', value: 'START', says: 'those whose routing key begins so' },
  'job-prefix': { kind: 'text', value: 'START', says: 'those whose job begins so' },
  tag: { kind: 'text', value: 'TAG', says: 'those that have this tag' },
  kind: { kind: 'text', value: 'KIND', says: 'interval, one_off, calendar or cron' },
  paused: { kind: 'flag', says: 'those that are paused' },
  running: { kind: 'flag', says: 'those that are not' },
};

/** What is read in another way than by its name. */
const READ_APART = new Set(['paused', 'running', 'payload-file']);

export function nameOf([routingKey, job]: readonly string[]): JobName {
  return { routingKey: routingKey!, job: job! };
}

/** The values of options as the parameters of the API. */
export async function parametersOf(values: Values, stdin: Readable): Promise<PutParameters> {
  const file = values['payload-file'];
  if (file !== undefined && values.payload !== undefined)
    throw new UsageError('--payload and --payload-file exclude each other');
  return {
    ...named(values, { ...SCHEDULE, ...MESSAGE }, { tag: 'tags' }),
    ...(values.paused === true ? { enabled: false } : {}),
    ...(file === undefined ? {} : { payload: await readPayload(String(file), stdin) }),
  };
}

export function filtersOf(values: Values): JobFilters {
  if (values.paused === true && values.running === true)
    throw new UsageError('--paused and --running exclude each other');
  return {
    ...named(values, FILTERS),
    ...(values.paused === true ? { enabled: false } : {}),
    ...(values.running === true ? { enabled: true } : {}),
  };
}

/** Those of the options that are given, under the API's names. */
export function named(
  values: Values,
  options: Options,
  others: Readonly<Record<string, string>> = {},
): object {
  return Object.fromEntries(
    Object.keys(options)
      .filter((option) => values[option] !== undefined && !READ_APART.has(option))
      .map((option) => [others[option] ?? option.replaceAll('-', '_'), values[option]]),
  );
}

/** In a few words: `check_feed 1234, every 60 s, next run 2030-01-01T00:00:00Z`. */
export function describeJob(job: Job): string {
  return `${job.routing_key} ${job.job}, ${describeSchedule(job)}, next run ${job.next_run ?? 'none'}`;
}

export function describeSchedule({ interval, cron, location, one_off, enabled }: Job): string {
  const zone = location === undefined ? '' : ` ${location}`;
  const every = `every ${interval}${typeof interval === 'number' ? ' s' : ''}`;
  const when = one_off ? 'once' : (cron ?? every);
  return `${when}${zone}${enabled === false ? ' (paused)' : ''}`;
}

async function readPayload(file: string, stdin: Readable): Promise<Uint8Array> {
  try {
    return await buffer(file === '-' ? stdin : createReadStream(file));
  } catch (error) {
    throw new CommandError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
