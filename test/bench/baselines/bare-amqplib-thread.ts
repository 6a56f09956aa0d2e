import { workerData } from 'node:worker_threads';
import type { ConfirmChannel } from 'amqplib';
import { firstRunOf, jobName } from '../seed-table.ts';
import type { BareOptions } from './bare-amqplib.ts';
import { connectTuned } from './connect.ts';
import { propertiesOf } from './message.ts';
import { type ThreadData, workOnce } from './threads.ts';

/**
 * One thread of the bare publisher: the same messages as Dalga's, and nothing else around amqplib. What can be made
 * beforehand is: the bodies, and the times.
 */
const { options, thread, threads } = workerData as ThreadData<BareOptions>;
const { rabbitmq, messages, tuning } = options;
const { routingKey, intervalMs, jobBytes = 50 } = messages;

const numbers: number[] = [];
for (let number = thread + 1; number <= messages.jobs; number += threads) numbers.push(number);
const times = Float64Array.from(numbers, (number) => firstRunOf(number, messages));
const bodies = Buffer.concat(numbers.map((number) => Buffer.from(jobName(number, jobBytes))));

const connection = await connectTuned(rabbitmq, tuning);
let next = 0;
let unconfirmed = 0;
let finish: () => void;
const finished = new Promise<void>((resolve) => {
  finish = resolve;
});

/** amqplib calls it once for each message, those of a `multiple` too. */
function confirmed(error: unknown): void {
  if (error) throw error;
  unconfirmed -= 1;
  if (next === numbers.length && unconfirmed === 0) finish();
  goOn();
}

/** Returns false when the channel is full. */
function publish(channel: ConfirmChannel): boolean {
  const properties = propertiesOf('bare', numbers[next]!, times[next]!, intervalMs);
  const body = bodies.subarray(next * jobBytes, (next + 1) * jobBytes);
  next += 1;
  unconfirmed += 1;
  return channel.publish('', routingKey, body, properties, confirmed);
}

/** @returns publishes a turn's messages, and returns whether more may follow at once */
async function open(): Promise<() => boolean> {
  const channel = await connection.createConfirmChannel({ highWaterMark: tuning.highWaterMark });
  channel.on('return', () => {
    throw new Error('a message was returned');
  });
  let full = false;
  channel.on('drain', () => {
    full = false;
    goOn();
  });
  return () => {
    for (let count = 0; count < tuning.perTurn && !full; count++) {
      if (next === numbers.length || unconfirmed >= tuning.window) return false;
      full = !publish(channel);
    }
    return !full;
  };
}

const turns: (() => boolean)[] = [];
for (let channel = 0; channel < tuning.channels; channel++) turns.push(await open());
let going = false;

/**
 * Some messages in each turn of the event loop: in between the confirms are read. While it may send none it waits for a
 * confirm, or for room, and leaves the core to the broker.
 */
function goOn(): void {
  if (going || next === numbers.length) return;
  going = true;
  setImmediate(() => {
    going = false;
    if (turns.map((turn) => turn()).includes(true)) goOn();
  });
}

workOnce(async () => {
  if (numbers.length > 0) {
    goOn();
    await finished;
  }
  await connection.close();
});
