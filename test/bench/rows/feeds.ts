import { INTERVAL, LEAST_DURATION, runFeeds } from '../feeds.ts';
import { Histogram } from '../harness.ts';
import { latenessOf } from '../lateness.ts';
import type { Figure, Row } from '../row.ts';
import { scaledTime } from '../scale.ts';

/** ms */
const DURATION = 360_000;

/** The case that Dalga is made for. */
export const row: Row = {
  name: 'feeds',
  how:
    '1,000,000 jobs at 300 s, their phases even, for 6 minutes: lateness is from the scheduled time to the write to the ' +
    'socket, delay to the receipt at a consumer that acknowledges, both of every message; MySQL, RabbitMQ and the ' +
    'consumer share the cores with Dalga',
  async run(bench) {
    const duration = scaledTime(bench, DURATION, LEAST_DURATION);
    const { jobs, period } = await runFeeds(bench, { loopDelay: false }, async (feeds) => {
      bench.say(`measuring for ${duration / 1000} s`);
      return { jobs: feeds.jobs, period: await feeds.measure(duration) };
    });
    const { seconds, cpu, rows, received } = period;
    const lateness = latenessOf(period.threads);
    const delay = Histogram.from(period.delay);
    const wanted = (jobs / INTERVAL) * 1000;
    return {
      figures: [
        ...percentiles('lateness', lateness, { must: 10, aim: 3 }),
        ...percentiles('delay', delay, { must: 30, aim: 30 }),
        { name: 'CPU', value: cpu, unit: 'core', goal: { must: 0.35, aim: 0.2, good: 'at most' } },
        { name: 'MySQL rows', value: rows, unit: 'rows/s', goal: { must: 10, aim: 10, good: 'at most' } },
        { name: 'messages', value: received / seconds, unit: 'messages/s' },
        { name: 'messages that were due', value: wanted, unit: 'messages/s' },
      ],
      rounds: [{ seconds, cpu, rows, written: lateness.count, received }],
      distributions: [
        {
          name: 'The feeds, from the scheduled time to the write to the socket',
          counts: lateness.perMillisecond(),
        },
        {
          name: 'The feeds, from the scheduled time to the receipt at the consumer',
          counts: delay.perMillisecond(),
        },
      ],
    };
  },
};

/** @param goal of the p99, ms */
function percentiles(name: string, values: Histogram, goal: { must: number; aim: number }): Figure[] {
  return [
    { name: `${name} p50`, value: values.percentile(0.5), unit: 'ms' },
    { name: `${name} p99`, value: values.percentile(0.99), unit: 'ms', goal: { ...goal, good: 'at most' } },
    { name: `${name} p99.9`, value: values.percentile(0.999), unit: 'ms' },
    { name: `${name} max`, value: values.max, unit: 'ms' },
  ];
}
