import type { History, ListParameters, PreviewParameters } from '../../client/client.ts';
import type { Command } from '../command.ts';
import { describeSchedule, FILTERS, filtersOf, named, nameOf, SCHEDULE } from '../job-options.ts';
import type { Output } from '../output.ts';
import { table } from '../render.ts';

/** What is asked of jobs: nothing of it changes anything. */

const COUNT = { count: { kind: 'count', value: 'N', says: 'how many, 20 by default' } } as const;
const PAGE = {
  soonest: { kind: 'flag', says: 'those that run soonest come first; else they are sorted by name' },
  limit: { kind: 'count', value: 'N', says: 'how many, 100 by default and 1000 at most' },
  cursor: { kind: 'text', value: 'CURSOR', says: 'those after a page: its "next", of --json' },
} as const;

export const list: Command = {
  takes: [],
  does: 'lists jobs',
  options: { ...FILTERS, ...PAGE },
  examples: ['list --tag news --soonest', 'list --routing-key check_feed --paused --json'],
  async run({ client, values, output }) {
    const parameters: ListParameters = {
      ...filtersOf(values),
      ...named(values, { limit: PAGE.limit, cursor: PAGE.cursor }),
      ...(values.soonest === true ? { sort: 'next_run' } : {}),
    };
    const page = await client.list(parameters);
    if (page.next !== null && !output.json)
      output.say('there are more: name a filter or a greater --limit (at most 1000), or use dalga export');
    const rows = page.jobs.map((job) => [
      job.routing_key,
      job.job,
      describeSchedule(job),
      job.next_run ?? '-',
    ]);
    return { json: page, text: () => table(['ROUTING KEY', 'JOB', 'SCHEDULE', 'NEXT RUN'], rows, output) };
  },
};

export const next: Command = {
  takes: ['ROUTING_KEY', 'JOB'],
  does: 'shows the coming runs of a job',
  options: COUNT,
  examples: ['next check_feed 1234 --count 3'],
  async run({ client, takes, values }) {
    const runs = await client.next(nameOf(takes), values as { count?: number });
    return { json: { runs }, text: () => runs.join('\n') || 'it has no run to come' };
  },
};

export const preview: Command = {
  takes: [],
  does: 'shows when a job would run that is not stored',
  options: {
    ...SCHEDULE,
    ...COUNT,
    from: { kind: 'text', value: 'TIME', says: 'from when on; now by default' },
  },
  examples: [
    "preview --cron '0 0 L * *' --count 3",
    'preview --interval P1M --first-run 2027-01-31T09:00:00Z',
  ],
  async run({ client, values }) {
    const parameters = named(values, preview.options!) as PreviewParameters;
    const runs = await client.preview(parameters);
    return { json: { runs }, text: () => runs.join('\n') || 'it would have no run to come' };
  },
};

export const history: Command = {
  takes: ['ROUTING_KEY', 'JOB'],
  does: 'says why a job ran, or did not',
  examples: ['history check_feed 1234'],
  async run({ client, takes, output }) {
    const told = await client.history(nameOf(takes));
    return { json: told, text: () => describeHistory(told, output) };
  },
};

function describeHistory({ why, entries }: History, output: Output): string {
  if (entries.length === 0) return why;
  const rows = entries.map(({ scheduled_at, event, late_ms, count }) => [
    scheduled_at,
    event,
    late_ms === null ? '-' : `${late_ms} ms`,
    count === 0 ? '' : event === 'skipped' ? `${count} runs` : `stands for ${count} more`,
  ]);
  return `${why}\n${table(['SCHEDULED', 'WHAT', 'LATE', ''], rows, output)}`;
}
