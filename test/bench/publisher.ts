import {
  Outcome,
  type PublishAnswer,
  type PublishBatch,
  type PublisherReport,
} from '../../src/protocol/scheduler-publisher.ts';
import { createPublisherPool } from '../../src/scheduler-thread/publisher-pool.ts';
import { type TestRabbitmq, testRabbitmq } from '../helpers/servers.ts';
import { configOf, makeBatch, numbered } from '../publisher-thread/harness.ts';

/**
 * What the pool costs: persistent, confirmed messages of 50 bytes a second, against bare amqplib in the same run,
 * on one durable queue that nobody consumes. Prints figures and judges nothing; on a busy machine they are noise.
 *
 *   node dist/test/bench/publisher.js [messages] [rounds]
 */
const MESSAGES = Number(process.argv[2] ?? 200_000);
const ROUNDS = Number(process.argv[3] ?? 1);
const BATCH = 500;
const BATCHES_PER_THREAD = 16;
const body = 'x'.repeat(50);

/** ms of the clock, and of CPU in all threads of this process: the broker's are not in it. */
type Cost = { readonly time: number; readonly cpu: number };

function measure(): () => Cost {
  const begun = performance.now();
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return { time: performance.now() - begun, cpu: (user + system) / 1000 };
  };
}

async function bare(rabbit: TestRabbitmq, queue: string): Promise<void> {
  const connection = await rabbit.connect();
  const channel = await connection.createConfirmChannel();
  const content = Buffer.from(body);
  await new Promise<void>((resolve) => {
    let unconfirmed = 0;
    let written = 0;
    let draining = false;
    const confirmed = (): void => {
      if (--unconfirmed === 0 && written === MESSAGES) resolve();
      else if (unconfirmed === BATCH * (BATCHES_PER_THREAD - 1)) write();
    };
    const write = (): void => {
      while (!draining && written < MESSAGES && unconfirmed < BATCH * BATCHES_PER_THREAD) {
        written += 1;
        unconfirmed += 1;
        const properties = {
          mandatory: true,
          persistent: true,
          expiration: '300000',
          messageId: `k3x9.${written.toString(36)}.lq4x5z9c`,
          timestamp: 1_700_000_000,
          appId: 'dalga',
          headers: { 'x-dalga-scheduled-at': 1_700_000_000_000 },
        };
        if (!channel.publish('', queue, content, properties, confirmed)) {
          draining = true;
          channel.once('drain', () => {
            draining = false;
            write();
          });
        }
      }
    };
    write();
  });
  await connection.close();
}

/** Each batch that is published loses its arrays. */
function copyOf(batch: PublishBatch): PublishBatch {
  return {
    ...batch,
    trustedUntil: Number.MAX_VALUE,
    routeOf: batch.routeOf.slice(),
    ids: batch.ids.slice(),
    times: batch.times.slice(),
    missed: batch.missed.slice(),
    expirations: batch.expirations.slice(),
    bodies: batch.bodies.slice(),
    bodyOffsets: batch.bodyOffsets.slice(),
  };
}

async function pooled(rabbit: TestRabbitmq, queue: string, threads: number): Promise<Cost> {
  let connected = 0;
  let settled = 0;
  let onConnected = (): void => {};
  let onSettled = (): void => {};
  const pool = createPublisherPool({
    init: { rabbitmq: configOf(rabbit), tag: 'k3x9', debug: false },
    threads,
    batchesPerThread: BATCHES_PER_THREAD,
    onReport(report: PublisherReport) {
      if (report.type === 'connection.changed' && report.connected && ++connected === threads) onConnected();
      if (report.type === 'outcomes.settled') settled += report.outcomes.length;
      onSettled();
    },
    onThreadLost(id, error) {
      throw new Error(`thread ${id} ended: ${error?.message}`);
    },
  });
  await new Promise<void>((resolve) => {
    onConnected = resolve;
  });
  const template = makeBatch(numbered(BATCH, { body, routingKey: queue, expiration: 300_000 }));
  const cost = measure();
  let left = MESSAGES / BATCH;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const answer: PublishAnswer = await pool.publish(copyOf(template));
      for (const outcome of answer.outcomes) {
        if (outcome === Outcome.confirmed) settled += 1;
        else if (outcome !== Outcome.pending) throw new Error(`outcome ${outcome}`);
      }
    }
  };
  await Promise.all(Array.from({ length: threads * BATCHES_PER_THREAD }, worker));
  await new Promise<void>((resolve) => {
    onSettled = () => {
      if (settled === MESSAGES) resolve();
    };
    onSettled();
  });
  const measured = cost();
  await pool.close();
  return measured;
}

const rabbit = await testRabbitmq();
const queue = rabbit.name('bench');
const control = await rabbit.connect();
const channel = await control.createChannel();
await channel.assertQueue(queue, { durable: true });
for (let round = 0; round < ROUNDS; round++) {
  const cost = measure();
  await bare(rabbit, queue);
  const bareCost = cost();
  print('bare amqplib', bareCost, bareCost);
  await channel.purgeQueue(queue);
  for (const threads of [1, 2]) {
    print(`the pool, ${threads} thread(s)`, await pooled(rabbit, queue, threads), bareCost);
    await channel.purgeQueue(queue);
  }
}
await channel.deleteQueue(queue);
await control.close();
await rabbit.close();
process.exit();

function print(what: string, { time, cpu }: Cost, bareCost: Cost): void {
  const rate = Math.round((MESSAGES / time) * 1000);
  const each = ((cpu / MESSAGES) * 1000).toFixed(1);
  console.log(
    `${what.padEnd(24)} ${rate} messages/s, ${(bareCost.time / time).toFixed(2)} of bare; ` +
      `${each} us of CPU each in this process`,
  );
}
