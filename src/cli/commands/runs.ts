import type { Backfill } from '../../client/client.ts';
import { type Command, EXIT, type Outcome, UsageError } from '../command.ts';
import { nameOf } from '../job-options.ts';
import { block, table } from '../render.ts';

/** Runs beside the schedule. */

const NO_BACKFILL: Outcome = { code: EXIT.missing, says: 'there is no such backfill' };

function describe({ id, kind, routing_key, job, from, to }: Backfill): string {
  const what = kind === 'run' ? 'a run' : `the runs from ${from} to ${to}`;
  return `${id}: ${what} of ${routing_key} ${job}`;
}

export const run: Command = {
  takes: ['ROUTING_KEY', 'JOB'],
  does: 'runs a job now, beside its schedule',
  examples: ['run check_feed 1234'],
  async run({ client, takes }) {
    const stored = await client.run(nameOf(takes));
    return { json: stored, text: () => `is published now, as ${describe(stored)}` };
  },
};

export const backfill: Command = {
  takes: ['ROUTING_KEY', 'JOB'],
  does: 'publishes the runs of a past span again',
  options: {
    from: { kind: 'text', value: 'TIME', says: 'when the span begins: RFC 3339 with a zone' },
    to: { kind: 'text', value: 'TIME', says: 'when it ends' },
  },
  examples: ['backfill check_feed 1234 --from 2026-01-01T00:00:00Z --to 2026-01-02T00:00:00Z'],
  async run({ client, takes, values: { from, to } }) {
    if (from === undefined || to === undefined) throw new UsageError('--from and --to are needed');
    const stored = await client.backfill(nameOf(takes), { from: String(from), to: String(to) });
    return { json: stored, text: () => `is being published, as ${describe(stored)}` };
  },
};

export const backfills: Command = {
  takes: ['ID'],
  optional: 1,
  does: 'shows the backfills and runs by hand that are not done, or one of them',
  options: { stop: { kind: 'flag', says: 'ends the one with this ID; what is published stays' } },
  examples: ['backfills', 'backfills 7', 'backfills 7 --stop'],
  async run({ client, takes: [id], values, output }) {
    if (values.stop === true) {
      if (id === undefined) throw new UsageError('--stop needs an ID');
      const stopped = await client.stopBackfill(id);
      return stopped ? { json: { stopped: true }, text: () => 'stopped' } : NO_BACKFILL;
    }
    if (id !== undefined) {
      const found = await client.getBackfill(id);
      return found === null ? NO_BACKFILL : { json: found, text: () => block(Object.entries(found)) };
    }
    const all = await client.backfills();
    const rows = all.map(({ id, kind, routing_key, job, from, to, position, published }) =>
      [id, kind, routing_key, job, from, to, position, String(published)].map((cell) => cell ?? '-'),
    );
    const headings = ['ID', 'KIND', 'ROUTING KEY', 'JOB', 'FROM', 'TO', 'POSITION', 'PUBLISHED'];
    return { json: { backfills: all }, text: () => table(headings, rows, output) };
  },
};
