import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Duplex } from 'node:stream';
import type { ConfirmChannel } from 'amqplib';
import t, { type Test } from 'tap';
import type { PublishBatch } from '../../src/protocol/scheduler-publisher.ts';
import { BatchRun } from '../../src/publisher-thread/batch-run.ts';
import { LateOutcomes } from '../../src/publisher-thread/late-outcomes.ts';
import { propertiesOf } from '../../src/publisher-thread/message.ts';
import { PublishChannel } from '../../src/publisher-thread/publish-channel.ts';
import { PublishFrames } from '../../src/publisher-thread/publish-frames.ts';
import { seededRandom } from '../helpers/random.ts';
import { makeBatch, type TestMessage } from './harness.ts';

/** What amqplib's types do not tell of: a connection over any stream, and its channels. */
type Connection = {
  channelMax: number;
  channels: ({ buffer: { read(): Buffer | null } } | null)[];
};
const require = createRequire(import.meta.url);
const amqplib = dirname(require.resolve('amqplib'));
const inside = {
  ...(require(join(amqplib, 'lib/connection.js')) as { Connection: new (stream: Duplex) => Connection }),
  ...(require(join(amqplib, 'lib/channel_model.js')) as {
    ConfirmChannel: new (connection: Connection) => ConfirmChannel & { allocate(): void };
  }),
};

/** amqplib's channel of that number, over a socket that sends nothing, and a reader of what was handed to it. */
function openChannel(number: number): { channel: ConfirmChannel; written: () => Buffer[] } {
  const connection = new inside.Connection(new Duplex({ read() {}, write() {} }));
  connection.channelMax = number;
  const channels = Array.from({ length: number }, () => new inside.ConfirmChannel(connection));
  for (const channel of channels) channel.allocate();
  const { buffer } = connection.channels[number]!;
  const written = (): Buffer[] => {
    const pieces: Buffer[] = [];
    for (let piece = buffer.read(); piece !== null; piece = buffer.read()) pieces.push(piece);
    return pieces;
  };
  return { channel: channels[number - 1]!, written };
}

/** What goes to the socket for the batch, by Dalga and by amqplib. */
function bothWays(batch: PublishBatch, number = 1): { dalga: Buffer[]; amqplib: Buffer[] } {
  const run = new BatchRun(batch, new LateOutcomes(1, () => {}));
  const one = openChannel(number);
  const other = openChannel(number);
  const channel = new PublishChannel(one.channel);
  for (let position = 0; position < batch.count; position++) {
    const { exchange, routingKey } = batch.routes[batch.routeOf[position]!]!;
    run.write(position, 0);
    channel.publish(run, position, 0);
    other.channel.publish(exchange, routingKey, run.body(position), propertiesOf(batch, position));
  }
  channel.flush();
  return { dalga: one.written(), amqplib: other.written() };
}

function sameBytes(t: Test, batch: PublishBatch, number = 1): void {
  const { dalga, amqplib } = bothWays(batch, number);
  t.ok(Buffer.concat(amqplib).length > 0);
  t.equal(Buffer.concat(dalga).toString('hex'), Buffer.concat(amqplib).toString('hex'));
}

t.test('the bytes are those of amqplib, for all that decides on them', async (t) => {
  const random = seededRandom(7);
  const below = (limit: number): number => Math.floor(random() * limit);
  const oneOf = <T>(...values: readonly T[]): T => values[below(values.length)]!;
  const numbers = [
    1,
    9,
    10,
    35,
    36,
    127,
    128,
    32_767,
    32_768,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 47,
  ];
  const message = (): TestMessage => ({
    exchange: oneOf('', 'feeds', 'ä'.repeat(127)),
    routingKey: oneOf('check_feed', 'a', '日本', 'k'.repeat(255)),
    id: oneOf(...numbers, below(1e6)),
    time: oneOf(0, 999, 1000, ...numbers, 1_700_000_000_000 + below(1e9)),
    missed: oneOf(0, 0, ...numbers),
    expiration: oneOf(0, ...numbers.filter((number) => number < 2 ** 32), 300_000),
    body: oneOf('', 'x', 'é', 'b'.repeat(50), 'b'.repeat(below(4089)), 'b'.repeat(4088)),
  });
  for (const channel of [1, 255, 256, 2047]) {
    const batch = makeBatch(Array.from({ length: 500 }, message), { tag: oneOf('k3x9', '0000') });
    const run = new BatchRun(batch, new LateOutcomes(1, () => {}));
    t.ok(batch.times.every((_, position) => PublishFrames.fit(batch, position, run.body(position))));
    sameBytes(t, batch, channel);
  }
});

t.test('what amqplib encodes itself keeps its place among the others', async (t) => {
  const messages = Array.from({ length: 400 }, (_, id) => ({
    id: id + 1,
    routingKey: 'check_feed',
    body: id % 7 === 0 ? 'long'.repeat(1023) : 'body',
  }));
  const optionsOf = Uint32Array.from(messages, (_, id) => (id % 5 === 0 ? 1 : 0));
  const batch = makeBatch(messages, { options: [{ type: 'own', headers: { a: 1 } }], optionsOf });
  sameBytes(t, batch);
});

t.test('what amqplib is to encode', async (t) => {
  const fits = (message: TestMessage, terms: Partial<PublishBatch> = {}): boolean => {
    const batch = makeBatch([message], terms);
    return PublishFrames.fit(batch, 0, new BatchRun(batch, new LateOutcomes(1, () => {})).body(0));
  };
  t.ok(fits({}));
  t.notOk(fits({}, { spans: { ids: Float64Array.of(77), backfills: Uint8Array.of(0) } }), 'a run by hand');
  t.notOk(fits({}, { options: [{ type: 'own' }], optionsOf: Uint32Array.of(1) }), 'properties of its own');
  t.ok(fits({ body: 'b'.repeat(4088) }));
  t.notOk(fits({ body: 'b'.repeat(4089) }), 'a body of two frames, where a frame is as short as it may be');
  for (const odd of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    for (const name of ['id', 'time', 'missed', 'expiration'])
      t.notOk(fits({ [name]: odd }), `${name} ${odd}`);
  }
});

t.test('a routing key that is too long adds nothing', async (t) => {
  const written: Buffer[] = [];
  const frames = new PublishFrames(1, (piece) => written.push(piece));
  const batch = makeBatch([{ routingKey: 'k'.repeat(256) }]);
  t.throws(() => frames.add(batch, 0, Buffer.from('body')), RangeError);
  frames.flush();
  t.strictSame(written, []);
});

t.test('a turn goes to the channel in pieces of some kilobytes', async (t) => {
  const batch = makeBatch(Array.from({ length: 256 }, (_, id) => ({ id, body: 'b'.repeat(50) })));
  const { dalga, amqplib } = bothWays(batch);
  t.equal(amqplib.length, 256);
  t.ok(dalga.length <= 4, `${dalga.length} pieces`);
});
