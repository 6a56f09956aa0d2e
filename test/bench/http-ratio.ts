import { Child, cpuSeconds, inTurns, medianOf, type RunningDalga } from './harness.ts';
import { type HttpLoad, startLoader } from './http-load.ts';
import type { Bench, Figure, Measured } from './row.ts';

const CONNECTIONS = 64;

/** s, at a scale of 1. */
const WARM_UP = 5;
const SECONDS = 20;

export type RatioOptions = {
  readonly kind: HttpLoad['kind'];
  readonly goal: NonNullable<Figure['goal']>;
  readonly routingKey: string;
  readonly jobs: number;
  /** Starts Dalga, which publishes from then on, calls `measure`, and ends it. */
  readonly withDalga: (measure: MeasureBeside) => Promise<Numbers>;
};

export type Numbers = Readonly<Record<string, number>>;

/** @returns what the round is told of, and how many requests Dalga has carried out, those of the warm-up too */
export type MeasureBeside = (dalga: RunningDalga) => Promise<{ numbers: Numbers; succeeded: number }>;

/**
 * Requests a second that Dalga answers, against those of the bare Fastify route, under the same load and in turns: a
 * Dalga publishes while the one is measured and while the other is.
 */
export async function measureRatio(bench: Bench, options: RatioOptions): Promise<Measured> {
  const { kind, goal, routingKey, jobs, withDalga } = options;
  const loadOf = (url: string): HttpLoad => ({
    ...{ url, kind, routingKey, jobs },
    connections: CONNECTIONS,
    // autocannon counts in whole seconds.
    warmUp: Math.max(1, Math.round(WARM_UP * bench.scale)),
    seconds: Math.max(1, Math.round(SECONDS * bench.scale)),
  });
  const rounds = await inTurns(bench, {
    dalga: () => withDalga((dalga) => measure(loadOf(dalga.url), dalga.pid, dalga)),
    bare: () =>
      withDalga(async (dalga) => {
        const server = new Child<'listen', string>(new URL('./baselines/bare-fastify.js', import.meta.url));
        try {
          const { numbers } = await measure(loadOf(await server.ask('listen')), server.pid, dalga);
          return { numbers, succeeded: 0 };
        } finally {
          await server.close();
        }
      }),
  });
  const ratios = rounds.map((round) => ({ ...round, ratio: round['dalga.rate']! / round['bare.rate']! }));
  const method = kind.toUpperCase();
  const shown = (name: string, unit: string, number: string): Figure => {
    return { name, unit, value: medianOf(ratios, number) };
  };
  return {
    figures: [
      { ...shown(`${method} against bare Fastify`, 'x', 'ratio'), goal },
      shown(method, 'requests/s', 'dalga.rate'),
      shown(`${method} p99`, 'ms', 'dalga.p99'),
      shown('bare Fastify', 'requests/s', 'bare.rate'),
      shown('dispatched meanwhile', 'messages/s', 'dalga.dispatched'),
    ],
    rounds: ratios,
  };
}

/**
 * @param pid of the server
 * @param publisher the Dalga that publishes meanwhile, `dispatched` a second
 * @returns `server` and `generator`: the cores that each took
 */
async function measure(load: HttpLoad, pid: number, publisher: RunningDalga) {
  const confirmed = async () => (await publisher.metrics()).get('dalga_occurrences_confirmed_total') ?? 0;
  const loader = startLoader(load);
  try {
    const warm = await loader.warm();
    const before = { count: await confirmed(), cpu: cpuSeconds(pid), at: performance.now() };
    const { rate, p50, p99, max, generator, succeeded } = await loader.measure();
    const seconds = (performance.now() - before.at) / 1000;
    const server = (cpuSeconds(pid) - before.cpu) / seconds;
    const dispatched = ((await confirmed()) - before.count) / seconds;
    return {
      numbers: { rate, p50, p99, max, server, generator, dispatched },
      succeeded: warm.succeeded + succeeded,
    };
  } finally {
    await loader.close();
  }
}
