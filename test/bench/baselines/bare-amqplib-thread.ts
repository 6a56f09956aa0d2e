import type { Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { type ConfirmChannel, connect } from 'amqplib';
import { messageId } from '../../../src/protocol/message-id.ts';
import { firstRunOf, jobName } from '../seed-table.ts';
import type { BareOptions } from './bare-amqplib.ts';

/**
 * One thread of the bare publisher: the same messages as Dalga's, and nothing else around amqplib. What can be made
 * beforehand is: the bodies, and the times.
 */
const { rabbitmq, messages, thread, threads, tuning } = workerData as BareOptions & {
  readonly thread: number;
};
const { routingKey, intervalMs, jobBytes = 50 } = messages;

const numbers: number[] = [];
for (let number = thread + 1; number <= messages.jobs; number += threads) numbers.push(number);
const times = Float64Array.from(numbers, (number) => firstRunOf(number, messages));
const bodies = Buffer.concat(numbers.map((number) => Buffer.from(jobName(number, jobBytes))));

const login = { protocol: 'amqp', hostname: rabbitmq.host, port: rabbitmq.port };
const user = {
  username: rabbitmq.user,
  password: rabbitmq.password,
  vhost: encodeURIComponent(rabbitmq.vhost),
};
// It goes to net.connect as it is, which takes more than amqplib's type says.
const socketOptions = { noDelay: true, writableHighWaterMark: tuning.socketBuffer };
const connection = await connect({ ...login, ...user }, socketOptions);
const socket = (connection.connection as unknown as { stream: Socket }).stream;
if (tuning.cork) corkTurns(socket);

let next = 0;
let unconfirmed = 0;
let finish: () => void;
const finished = new Promise<void>((resolve) => {
  finish = resolve;
});

/** amqplib encodes them within `publish`, so one object serves all messages. */
const headers = { 'x-dalga-scheduled-at': 0 };
const properties = {
  mandatory: true,
  persistent: true,
  appId: 'dalga',
  headers,
  expiration: String(intervalMs),
  messageId: '',
  timestamp: 0,
};

function confirmed(error: unknown): void {
  if (error) throw error;
  unconfirmed -= 1;
  if (next === numbers.length && unconfirmed === 0) finish();
}

/** Returns false when the channel is full. */
function publish(channel: ConfirmChannel): boolean {
  const time = times[next]!;
  headers['x-dalga-scheduled-at'] = time;
  properties.messageId = messageId('bare', numbers[next]!, time);
  properties.timestamp = Math.floor(time / 1000);
  const body = bodies.subarray(next * jobBytes, (next + 1) * jobBytes);
  next += 1;
  unconfirmed += 1;
  return channel.publish('', routingKey, body, properties, confirmed);
}

async function open(): Promise<() => void> {
  const channel = await connection.createConfirmChannel({ highWaterMark: tuning.highWaterMark });
  channel.on('return', () => {
    throw new Error('a message was returned');
  });
  let full = false;
  channel.on('drain', () => {
    full = false;
  });
  return () => {
    for (let count = 0; count < tuning.perTurn && !full; count++) {
      if (next === numbers.length || unconfirmed >= tuning.window) return;
      full = !publish(channel);
    }
  };
}

const turns: (() => void)[] = [];
for (let channel = 0; channel < tuning.channels; channel++) turns.push(await open());

/** Some messages in each turn of the event loop: in between the confirms are read. */
function go(): void {
  for (const turn of turns) turn();
  if (next < numbers.length) setImmediate(go);
}

parentPort!.on('message', async () => {
  go();
  await finished;
  parentPort!.postMessage('done');
  await connection.close();
  parentPort!.close();
});
parentPort!.postMessage('ready');

/** amqplib writes each message by itself, so that each is a call of the system: this lets those of a turn go in one. */
function corkTurns(socket: Socket): void {
  const write = socket.write.bind(socket);
  let corked = false;
  socket.write = ((...args: Parameters<typeof write>) => {
    if (!corked) {
      corked = true;
      socket.cork();
      process.nextTick(() => {
        corked = false;
        socket.uncork();
      });
    }
    return write(...args);
  }) as typeof socket.write;
}
