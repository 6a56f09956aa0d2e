import { monitorEventLoopDelay } from 'node:perf_hooks';
import { BroadcastChannel } from 'node:worker_threads';

/**
 * What each thread of a measured Dalga notes, and how main collects it:
 *
 *   thread   hello ------------->  main   once, when it starts
 *   thread  <---------------- ask  main   on SIGUSR2
 *   thread   readings ---------->  main   of the time since the last ask; then it notes anew
 */
const CHANNEL = 'dalga-bench';

/** ms: how fine the event loop's delay is sampled, and what is subtracted of each value. */
const RESOLUTION = 1;

/** ms */
const AFTER_READING = 50;

/** ms */
export const LATENESS_STEP = 0.1;
const LATENESS_STEPS = 100_000;

/** How long a thread's event loop was held up, ms. */
export type LoopDelay = {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly samples: number;
};

export type Readings = {
  /** `main`, `scheduler`, `publisher-7`. */
  readonly thread: string;
  /** Null where it is not measured. */
  readonly delay: LoopDelay | null;
  /** Of the scheduler: pairs of a bucket (of `LATENESS_STEP` ms) and how many messages fell into it. */
  readonly lateness: readonly (readonly [bucket: number, count: number])[];
};

type Told =
  | { readonly type: 'hello'; readonly thread: string }
  | { readonly type: 'ask'; readonly number: number }
  | { readonly type: 'readings'; readonly number: number; readonly readings: Readings };

/** Notes for this thread from now on. The loop's delay only where it is asked for: it takes a timer each ms. */
export class Gauge {
  readonly #thread: string;
  readonly #lateness = new Float64Array(LATENESS_STEPS);
  readonly #delay =
    process.env.BENCH_LOOP_DELAY === '1' ? monitorEventLoopDelay({ resolution: RESOLUTION }) : null;

  constructor(thread: string) {
    this.#thread = thread;
    this.#delay?.enable();
    const channel = new BroadcastChannel(CHANNEL);
    channel.unref();
    channel.onmessage = ({ data }: { data?: unknown }) => {
      const told = data as Told;
      if (told.type === 'ask')
        channel.postMessage({ type: 'readings', number: told.number, readings: this.take() } satisfies Told);
    };
    channel.postMessage({ type: 'hello', thread } satisfies Told);
  }

  /** @param times of which the messages are, Unix ms; @param writtenAt when each was written, 0 if it was not */
  noteLateness(times: Float64Array, writtenAt: Float64Array): void {
    for (let position = 0; position < writtenAt.length; position++) {
      const written = writtenAt[position]!;
      if (written === 0) continue;
      const bucket = Math.floor(Math.max(written - times[position]!, 0) / LATENESS_STEP);
      this.#lateness[Math.min(bucket, LATENESS_STEPS - 1)]!++;
    }
  }

  take(): Readings {
    const lateness: [number, number][] = [];
    for (let bucket = 0; bucket < LATENESS_STEPS; bucket++) {
      const count = this.#lateness[bucket]!;
      if (count > 0) lateness.push([bucket, count]);
    }
    this.#lateness.fill(0);
    const delay = this.#takeDelay();
    return { thread: this.#thread, delay, lateness };
  }

  #takeDelay(): LoopDelay | null {
    const delay = this.#delay;
    if (delay === null) return null;
    const at = (percentile: number) => beyond(delay.percentile(percentile));
    const samples = delay.count;
    const read = {
      p50: at(50),
      p99: at(99),
      p999: at(99.9),
      max: samples === 0 ? 0 : beyond(delay.max),
      samples,
    };
    // Not at once: this reading itself holds the event loop up for some ms, which would come as the first value.
    setTimeout(() => delay.reset(), AFTER_READING).unref();
    return read;
  }
}

/** Collects the readings of all threads at each SIGUSR2, and logs them as one line, `bench readings 1.`. */
export function collectReadings(): void {
  const own = new Gauge('main');
  const channel = new BroadcastChannel(CHANNEL);
  channel.unref();
  const threads = new Set<string>();
  let collected: Readings[] = [];
  let number = 0;
  const tellIfAll = (): void => {
    if (collected.length < threads.size + 1) return;
    const msg = `bench readings ${number}.`;
    process.stdout.write(`${JSON.stringify({ level: 'info', msg, threads: collected })}\n`);
  };
  channel.onmessage = ({ data }: { data?: unknown }) => {
    const told = data as Told;
    if (told.type === 'hello' && told.thread !== 'main') threads.add(told.thread);
    if (told.type !== 'readings' || told.number !== number || told.readings.thread === 'main') return;
    collected.push(told.readings);
    tellIfAll();
  };
  process.on('SIGUSR2', () => {
    number++;
    collected = [own.take()];
    channel.postMessage({ type: 'ask', number } satisfies Told);
    tellIfAll();
  });
}

/** ns of a timer that was to come after `RESOLUTION` ms, as ms of delay. */
function beyond(nanoseconds: number): number {
  return Math.max(nanoseconds / 1e6 - RESOLUTION, 0);
}
