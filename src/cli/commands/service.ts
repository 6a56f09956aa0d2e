import type {
  DalgaEvent,
  Forecast,
  ForecastParameters,
  ForecastSchedule,
  ForecastWith,
  Status,
} from '../../client/client.ts';
import { type Command, EXIT, type Options, UsageError } from '../command.ts';
import { named, SCHEDULE } from '../job-options.ts';
import type { Output } from '../output.ts';
import { barChart, block, printable, table } from '../render.ts';

/** What is asked of the service. */

const RANGE: Options = {
  from: { kind: 'text', value: 'TIME', says: 'now by default' },
  to: { kind: 'text', value: 'TIME', says: '60 steps later by default' },
  step: { kind: 'count', value: 'SECONDS', says: '60 by default' },
};
const ADDED: Options = {
  add: {
    kind: 'count',
    value: 'N',
    says: 'with so many more jobs, of the schedule that the options below give',
  },
  'routing-key': { kind: 'text', value: 'KEY', says: 'the routing key of those' },
};

export const forecast: Command = {
  takes: [],
  does: 'draws how many messages are to come, also with jobs that are not there',
  options: { ...RANGE, ...ADDED, ...SCHEDULE },
  examples: [
    'forecast --step 60',
    'forecast --step 10 --add 200000 --routing-key check_feed --interval 300 --phase spread',
  ],
  async run({ client, values, output }) {
    const range = named(values, RANGE) as ForecastParameters;
    if (values.add === undefined) {
      const told = await client.forecast(onlyRange(range, values));
      return { json: told, text: () => drawn(told, output) };
    }
    const told = await client.forecastWith([addedOf(values)], range);
    const { added } = told;
    const note = `${added.total} of them are of the jobs that are not there`;
    return { json: told, text: () => drawn(together(told, added), output, note) };
  },
};

/** What is stored and what would be added. */
function together(stored: Forecast, added: ForecastWith['added']): Forecast {
  return {
    ...stored,
    total: stored.total + added.total,
    steps: stored.steps.map((count, index) => count + (added.steps[index] ?? 0)),
    routes: [
      ...stored.routes,
      ...added.routes.map((route) => ({ ...route, routing_key: `${route.routing_key} (added)` })),
    ],
  };
}

function onlyRange(range: ForecastParameters, values: Readonly<Record<string, unknown>>): ForecastParameters {
  const other = Object.keys({ ...ADDED, ...SCHEDULE }).find((name) => values[name] !== undefined);
  if (other !== undefined)
    throw new UsageError(`--${other} is of the jobs that --add adds, and goes with it`);
  return range;
}

function addedOf(values: Readonly<Record<string, unknown>>): ForecastSchedule {
  if (values['routing-key'] === undefined) throw new UsageError('--add needs --routing-key');
  const schedule = {
    count: values.add,
    ...named(values, { ...SCHEDULE, 'routing-key': ADDED['routing-key']! }),
  };
  return schedule as ForecastSchedule;
}

function drawn(
  { from, step, steps, total, sampled, routes }: Forecast,
  output: Output,
  note?: string,
): string {
  const start = Date.parse(from);
  const bars = steps.map((count, index): [string, number] => [
    new Date(start + index * step * 1000).toISOString().slice(0, 19).replace('T', ' '),
    count,
  ]);
  if (output.width === null)
    return bars.map(([time, count]) => `${time.replace(' ', 'T')}Z\t${count}`).join('\n');
  const most = Math.max(0, ...steps);
  const about = sampled < 1 ? `, by a sample of ${(sampled * 100).toFixed(1)} % of the jobs` : '';
  const byRoute = routes.map((route) => [
    route.routing_key ?? '(others)',
    String(route.steps.reduce((sum, count) => sum + count, 0)),
  ]);
  return [
    barChart(bars, output),
    '',
    `${total} messages${about}; at most ${most} in ${step} s${note === undefined ? '' : `; ${note}`}`,
    ...(byRoute.length === 0 ? [] : ['', table(['ROUTING KEY', 'MESSAGES'], byRoute, output)]),
  ].join('\n');
}

export const status: Command = {
  takes: [],
  does: 'shows how the instance is',
  examples: ['status'],
  async run({ client }) {
    const told = await client.status();
    return { json: told, text: () => describeStatus(told) };
  },
};

function describeStatus({
  lateness,
  balance,
  memory,
  versions,
  watermark_age_ms,
  ...standing
}: Status): string {
  const { p50_ms, p99_ms, p999_ms, max_ms, count, minutes } = lateness;
  const parts = { p50: p50_ms, p99: p99_ms, 'p99.9': p999_ms, max: max_ms };
  const late = Object.entries(parts).map(([name, value]) => `${name} ${inMs(value)}`);
  return block([
    ...Object.entries(standing).map(([name, value]): [string, unknown] => [name, value ?? '-']),
    ['watermark_age', inMs(watermark_age_ms)],
    ['lateness', `${late.join(', ')}, of ${count} messages in ${minutes} min`],
    ['balance', listed(balance)],
    ['memory', `${(memory.used / 2 ** 20).toFixed(1)} of ${(memory.limit / 2 ** 20).toFixed(0)} MiB`],
    ['versions', listed(versions)],
  ]);
}

function inMs(value: number | null): string {
  return value === null ? '-' : `${value.toFixed(1)} ms`;
}

function listed(values: Readonly<Record<string, string | number | null>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value ?? '?'}`)
    .join(', ');
}

export const events: Command = {
  takes: [],
  does: 'shows what happens, as it happens, until Ctrl-C',
  options: {
    type: { kind: 'text', value: 'TYPES', says: 'the types of events to be told of, with commas between' },
    'routing-key': { kind: 'text', value: 'KEY', says: 'those of one routing key' },
  },
  examples: ['events --type returned,misfired', 'events --routing-key check_feed --json'],
  async run({ client, values, output }) {
    for await (const event of client.events(named(values, events.options!))) {
      await output.print(output.json ? JSON.stringify(event) : describeEvent(event));
    }
    return { code: EXIT.unreachable, says: 'Dalga has ended the stream: it stops, or has lost the table' };
  },
};

function describeEvent({ at, type, routing_key, job, ...others }: DalgaEvent): string {
  const members = Object.entries(others).map(([name, value]) => `${name}=${plain(value)}`);
  const named = [routing_key, job].filter((name) => typeof name === 'string').map(plain);
  return [at, type, ...named, ...members].join('  ');
}

function plain(value: unknown): string {
  return printable(typeof value === 'string' ? value : JSON.stringify(value));
}
