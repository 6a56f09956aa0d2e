import { type Command, EXIT, type Outcome } from '../command.ts';
import { describeJob, MESSAGE, nameOf, parametersOf, SCHEDULE } from '../job-options.ts';
import { block } from '../render.ts';

/** Commands on one job. */

const ONE_JOB = ['ROUTING_KEY', 'JOB'] as const;
const NO_JOB: Outcome = { code: EXIT.missing, says: 'there is no such job' };

export const schedule: Command = {
  takes: ONE_JOB,
  does: 'creates a job, or replaces it',
  options: {
    ...SCHEDULE,
    ...MESSAGE,
    'only-create': { kind: 'flag', says: 'refused when the job is there' },
  },
  examples: [
    'schedule check_feed 1234 --interval 300 --phase spread --tag news',
    "schedule send_report weekly --cron '0 8 * * 1' --location Europe/Istanbul",
    'schedule send_mail 42 --one-off --first-run 2030-01-31T12:00:00Z',
  ],
  async run({ client, takes, values, stdin }) {
    const onlyCreate = values['only-create'] === true;
    const { job, created } = await client.put(nameOf(takes), await parametersOf(values, stdin), {
      onlyCreate,
    });
    return { json: job, text: () => `${created ? 'created' : 'stored'}: ${describeJob(job)}` };
  },
};

export const get: Command = {
  takes: ONE_JOB,
  does: 'shows a job',
  examples: ['get check_feed 1234'],
  async run({ client, takes }) {
    const found = await client.get(nameOf(takes));
    return found === null ? NO_JOB : { json: found.job, text: () => block(Object.entries(found.job)) };
  },
};

export const pause: Command = {
  takes: ONE_JOB,
  does: 'pauses a job: it keeps its phase, and makes up for nothing',
  options: { note: { kind: 'text', value: 'TEXT', says: 'why' } },
  examples: ["pause check_feed 1234 --note 'the feed is moving'"],
  async run({ client, takes, values }) {
    const { job } = await client.pause(nameOf(takes), values as { note?: string });
    return { json: job, text: () => `paused: ${describeJob(job)}` };
  },
};

export const resume: Command = {
  takes: ONE_JOB,
  does: 'lets a paused job go on, at its phase',
  examples: ['resume check_feed 1234'],
  async run({ client, takes }) {
    const { job } = await client.resume(nameOf(takes));
    return { json: job, text: () => `goes on: ${describeJob(job)}` };
  },
};

export const cancel: Command = {
  takes: ONE_JOB,
  does: 'deletes a job',
  examples: ['cancel check_feed 1234'],
  async run({ client, takes }) {
    return (await client.delete(nameOf(takes))) ? { json: { deleted: true }, text: () => 'deleted' } : NO_JOB;
  },
};
