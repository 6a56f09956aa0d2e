import { runBare } from '../bare.ts';
import { DispatchRun } from '../dispatch-run.ts';
import { inTurns, median, medianOf } from '../rounds.ts';
import type { Row } from '../row.ts';
import { scaled, scaledTime } from '../scale.ts';

const JOBS = 500_000;
/** The due times lie within this, ms: far more a second than can be sent. */
const SPREAD = 1000;

export const row: Row = {
  name: 'dispatch',
  how:
    '500,000 jobs fall due within a second: from there until the last is confirmed and the watermark past it is ' +
    'durable; against bare amqplib with as many threads and the same messages, from the first write to the last confirm',
  async run(bench) {
    const jobs = scaled(bench, JOBS);
    const spread = scaledTime(bench, SPREAD, 1);
    const run = new DispatchRun(bench, { jobs, spread });
    await run.open();
    try {
      const rate = ({ seconds, cpu }: { seconds: number; cpu: number }) => ({
        rate: jobs / seconds,
        cpu: (cpu / jobs) * 1e6,
      });
      const rounds = await inTurns(bench, {
        dalga: async () => rate(await run.dalga()),
        bare: async () => rate(await run.baseline((messages) => runBare(bench.rabbitmq, messages))),
      });
      const ratio = median(rounds.map((round) => round['dalga.rate']! / round['bare.rate']!));
      return {
        figures: [
          {
            ...{ name: 'against bare amqplib', value: ratio, unit: 'x' },
            goal: { must: 0.9, aim: 1, good: 'at least' },
          },
          { name: 'Dalga', value: medianOf(rounds, 'dalga.rate'), unit: 'messages/s' },
          { name: 'bare amqplib', value: medianOf(rounds, 'bare.rate'), unit: 'messages/s' },
          { name: 'CPU of Dalga', value: medianOf(rounds, 'dalga.cpu'), unit: 'us/message' },
          { name: 'CPU of bare amqplib', value: medianOf(rounds, 'bare.cpu'), unit: 'us/message' },
        ],
        rounds,
      };
    } finally {
      await run.close();
    }
  },
};
