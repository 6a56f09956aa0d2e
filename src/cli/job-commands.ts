import { type ParseArgsConfig, parseArgs } from 'node:util';
import {
  type DalgaClient,
  DalgaProblem,
  DalgaUnreachable,
  type Job,
  NotDalga,
  type PutParameters,
} from '../client/client.ts';
import { barChart, block, type Screen, table } from './render.ts';

/** What a command is given, and where it shows what it has to say. */
export type CommandContext = {
  readonly client: DalgaClient;
  readonly screen: Screen;
  readonly say: (line: string) => void;
};

/** What the command line is wrong about: told with the command's usage. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

type Options = NonNullable<ParseArgsConfig['options']>;
type Values = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

type Command = {
  /** What stands after the name. */
  readonly usage: string;
  readonly does: string;
  readonly options?: Options;
  /** How many positionals it takes. */
  readonly takes: number;
  /** Resolves to what `--json` prints, and shows it to a person otherwise; false when there is no such job. */
  run(context: CommandContext, positionals: readonly string[], values: Values): Promise<Outcome | false>;
};

type Outcome = { readonly json: unknown; readonly show: () => void };

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const several = { type: 'string', multiple: true } as const;

/** As the API names them; in the shell with a hyphen. */
const NUMBERS: ReadonlySet<string> = new Set(['max_runs', 'priority']);
const LISTS: ReadonlySet<string> = new Set(['exclude', 'tags']);
const FLAGS: ReadonlySet<string> = new Set(['one_off', 'immediate']);

const PUT_OPTIONS: Options = {
  ...Object.fromEntries(
    [
      ...[
        'interval',
        'cron',
        'location',
        'gap',
        'overlap',
        'first-run',
        'last-run',
        'max-runs',
        'jitter',
        'phase',
      ],
      ...[
        'misfire',
        'misfire-age',
        'note',
        'payload',
        'payload-encoding',
        'content-type',
        'headers',
        'priority',
      ],
      ...['expiration', 'exchange', 'correlation-id', 'reply-to', 'type'],
    ].map((name) => [name, text]),
  ),
  ...{ exclude: several, tag: several, 'one-off': flag, immediate: flag },
};

/** The commands on jobs, by their names. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  schedule: {
    usage: 'ROUTING_KEY JOB --interval 60 [--cron ...] [--first-run ...] [...]',
    does: 'creates or replaces a job; the options are the parameters of the API',
    options: PUT_OPTIONS,
    takes: 2,
    async run({ client, screen }, [routingKey, job], values) {
      const { job: stored, created } = await client.put(
        { routingKey: routingKey!, job: job! },
        parametersOf(values),
      );
      const show = () => screen.print(`${created ? 'created' : 'stored'}: ${describe(stored)}`);
      return { json: stored, show };
    },
  },
  get: {
    usage: 'ROUTING_KEY JOB',
    does: 'shows a job',
    takes: 2,
    async run({ client, screen }, [routingKey, job]) {
      const found = await client.get({ routingKey: routingKey!, job: job! });
      if (found === null) return false;
      return { json: found.job, show: () => screen.print(block(Object.entries(found.job))) };
    },
  },
  list: {
    usage:
      '[--routing-key KEY] [--prefix START] [--tag TAG] [--kind KIND] [--paused] [--soonest] [--limit N]',
    does: 'lists jobs, by name or those that run soonest',
    options: {
      ...{ 'routing-key': text, prefix: text, tag: text, kind: text, limit: text },
      ...{ paused: flag, soonest: flag },
    },
    takes: 0,
    async run({ client, screen, say }, _none, values) {
      const page = await client.list({
        ...pick('routing_key', values['routing-key']),
        ...pick('job_prefix', values.prefix),
        ...pick('tag', values.tag),
        ...pick('kind', values.kind),
        ...pick('limit', values.limit),
        ...(values.paused ? { enabled: false } : {}),
        ...(values.soonest ? { sort: 'next_run' } : {}),
      });
      const rows = page.jobs.map((job) => [job.routing_key, job.job, scheduleOf(job), job.next_run ?? '-']);
      const show = () => {
        screen.print(table(['ROUTING KEY', 'JOB', 'SCHEDULE', 'NEXT RUN'], rows, screen));
        if (page.next !== null) say('there are more: name a filter, or a greater --limit (up to 1000)');
      };
      return { json: page, show };
    },
  },
  next: {
    usage: 'ROUTING_KEY JOB [--count N]',
    does: 'shows the coming runs of a job',
    options: { count: text },
    takes: 2,
    async run({ client, screen }, [routingKey, job], values) {
      const count = values.count === undefined ? undefined : Number(values.count);
      const runs = await client.next({ routingKey: routingKey!, job: job! }, { count: count ?? 20 });
      return { json: { runs }, show: () => screen.print(runs.join('\n') || 'it has no run to come') };
    },
  },
  history: {
    usage: 'ROUTING_KEY JOB',
    does: 'says why a job ran, or did not',
    takes: 2,
    async run({ client, screen }, [routingKey, job]) {
      const history = await client.history({ routingKey: routingKey!, job: job! });
      const rows = history.entries.map((entry) => [
        entry.scheduled_at,
        entry.event,
        entry.late_ms === null ? '-' : `${entry.late_ms} ms`,
        entry.count === 0 ? '' : `stands for ${entry.count} more`,
      ]);
      const show = () => {
        screen.print(history.why);
        if (rows.length > 0) screen.print(table(['SCHEDULED', 'WHAT', 'LATE', ''], rows, screen));
      };
      return { json: history, show };
    },
  },
  pause: {
    usage: 'ROUTING_KEY JOB [--note TEXT]',
    does: 'pauses a job',
    options: { note: text },
    takes: 2,
    async run({ client, screen }, [routingKey, job], values) {
      const note = typeof values.note === 'string' ? values.note : undefined;
      const { job: paused } = await client.pause(
        { routingKey: routingKey!, job: job! },
        note === undefined ? {} : { note },
      );
      return { json: paused, show: () => screen.print(`paused: ${describe(paused)}`) };
    },
  },
  resume: {
    usage: 'ROUTING_KEY JOB',
    does: 'lets a paused job go on, at its phase',
    takes: 2,
    async run({ client, screen }, [routingKey, job]) {
      const { job: resumed } = await client.resume({ routingKey: routingKey!, job: job! });
      return { json: resumed, show: () => screen.print(`goes on: ${describe(resumed)}`) };
    },
  },
  cancel: {
    usage: 'ROUTING_KEY JOB',
    does: 'deletes a job',
    takes: 2,
    async run({ client, screen }, [routingKey, job]) {
      if (!(await client.delete({ routingKey: routingKey!, job: job! }))) return false;
      return { json: { deleted: true }, show: () => screen.print('deleted') };
    },
  },
  forecast: {
    usage: '[--from TIME] [--to TIME] [--step SECONDS]',
    does: 'draws how many messages are to come',
    options: { from: text, to: text, step: text },
    takes: 0,
    async run({ client, screen }, _none, values) {
      const forecast = await client.forecast({
        ...pick('from', values.from),
        ...pick('to', values.to),
        ...pick('step', values.step),
      });
      const from = Date.parse(forecast.from);
      const bars = forecast.steps.map((count, index): [string, number] => [
        new Date(from + index * forecast.step * 1000).toISOString().slice(0, 19).replace('T', ' '),
        count,
      ]);
      return { json: forecast, show: () => screen.print(barChart(bars, screen)) };
    },
  },
  status: {
    usage: '',
    does: 'shows how the instance is',
    takes: 0,
    async run({ client, screen }) {
      const status = await client.status();
      const { lateness, balance, memory, versions, ...standing } = status;
      const lines: [string, unknown][] = [
        ...Object.entries(standing),
        [
          'lateness',
          `p50 ${ms(lateness.p50_ms)}, p99 ${ms(lateness.p99_ms)}, max ${ms(lateness.max_ms)} of ${lateness.count}`,
        ],
        [
          'balance',
          Object.entries(balance)
            .map(([name, count]) => `${name} ${count}`)
            .join(', '),
        ],
        ['memory', `${(memory.used / 2 ** 20).toFixed(1)} of ${(memory.limit / 2 ** 20).toFixed(0)} MiB`],
        [
          'versions',
          Object.entries(versions)
            .map(([name, version]) => `${name} ${version ?? '?'}`)
            .join(', '),
        ],
      ];
      return { json: status, show: () => screen.print(block(lines)) };
    },
  },
};

/** 0: done. 1: there is no such job. 2: it could not be done. */
export async function runJobCommand(
  name: string,
  args: readonly string[],
  context: CommandContext,
): Promise<number> {
  const command = COMMANDS[name]!;
  const { screen, say } = context;
  try {
    const { values, positionals } = parse(command, args);
    if (values.help) {
      screen.print(usageOf(name, command));
      return 0;
    }
    if (positionals.length !== command.takes)
      throw new UsageError(`${name} takes ${command.usage || 'nothing'}`);
    const outcome = await command.run(context, positionals, values);
    if (outcome === false) {
      say('there is no such job');
      return 1;
    }
    if (values.json) screen.print(JSON.stringify(outcome.json));
    else outcome.show();
    return 0;
  } catch (error) {
    if (error instanceof DalgaProblem) {
      say(error.message);
      return error.status === 404 ? 1 : 2;
    }
    if (error instanceof DalgaUnreachable || error instanceof NotDalga)
      say(`${error.message}: set DALGA_URL`);
    else if (error instanceof TypeError) say(error.message);
    else if (error instanceof UsageError) say(`${error.message}\n${usageOf(name, command)}`);
    else throw error;
    return 2;
  }
}

export function usageOf(name: string, { usage, does }: Command): string {
  return `dalga ${name} ${usage}`.trimEnd().concat(`\n    ${does}; --json for scripts`);
}

function parse(
  { options = {} }: Command,
  args: readonly string[],
): { values: Values; positionals: string[] } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { ...options, json: flag, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    });
    return { values: values as Values, positionals };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** The options as the API's parameters. */
function parametersOf(values: Values): PutParameters {
  const parameters: Record<string, unknown> = {};
  for (const [option, value] of Object.entries(values)) {
    const name = option === 'tag' ? 'tags' : option.replaceAll('-', '_');
    if (value === undefined || name === 'json') continue;
    if (LISTS.has(name) || FLAGS.has(name)) parameters[name] = value;
    else if (name === 'headers') parameters[name] = parseHeaders(String(value));
    else if (NUMBERS.has(name) || /^\d+$/.test(String(value)))
      parameters[name] = numberOrText(name, String(value));
    else parameters[name] = value;
  }
  return parameters;
}

/** Seconds are numbers to the API; what is a text of digits by chance (a payload, say) is none. */
function numberOrText(name: string, value: string): number | string {
  const seconds = ['interval', 'jitter', 'misfire_age', 'expiration'];
  return NUMBERS.has(name) || seconds.includes(name) ? Number(value) : value;
}

function parseHeaders(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    throw new UsageError('--headers must be JSON, as \'{"source":"feeds"}\'');
  }
}

function pick(name: string, value: Values[string]): Record<string, never> {
  return (value === undefined ? {} : { [name]: value }) as Record<string, never>;
}

function describe(job: Job): string {
  return `${job.routing_key} ${job.job}, ${scheduleOf(job)}, next run ${job.next_run ?? 'none'}`;
}

function scheduleOf({ interval, cron, location, one_off, enabled }: Job): string {
  const zone = location == null ? '' : ` ${location}`;
  const when = one_off
    ? 'once'
    : cron === undefined
      ? `every ${interval}${typeof interval === 'number' ? ' s' : ''}`
      : cron;
  return `${when}${zone}${enabled === false ? ' (paused)' : ''}`;
}

function ms(value: number | null): string {
  return value === null ? '-' : `${value.toFixed(1)} ms`;
}
