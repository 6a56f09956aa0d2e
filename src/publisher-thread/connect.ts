import type { Duplex, Readable } from 'node:stream';
import { type ChannelModel, connect } from 'amqplib';
import type { RabbitmqConfig } from '../config.ts';
import { within } from './deadline.ts';

/** How long the server may be silent while the connection is made, ms. */
const SILENCE_DEADLINE = 5000;
/** How long all of it may take, ms. */
const CONNECT_DEADLINE = 10_000;
/** How long a goodbye may take, ms. */
const CLOSE_DEADLINE = 800;
/** The time after which either side takes a silent connection for dead is about twice this, s. */
const HEARTBEAT = 10;
/** Bytes that wait for the broker's side of the socket before no more are written: some hundreds of messages in one go. */
const SOCKET_BUFFER = 131_072;

/** Opens a connection that the broker's management shows as `name`. The caller listens for its errors at once. */
export async function openConnection(config: RabbitmqConfig, name: string): Promise<ChannelModel> {
  const socketOptions = { noDelay: true, timeout: SILENCE_DEADLINE, writableHighWaterMark: SOCKET_BUFFER };
  const opening = connect(
    {
      protocol: 'amqp',
      hostname: config.host,
      port: config.port,
      username: config.user,
      password: config.password,
      // amqplib decodes it, as if it came from a URL.
      vhost: encodeURIComponent(config.vhost),
      heartbeat: HEARTBEAT,
    },
    // net.connect takes more than amqplib's type says.
    { ...socketOptions, clientProperties: { connection_name: name } },
  );
  const connection = await within(CONNECT_DEADLINE, 'the AMQP handshake', opening, (late) => {
    late.on('error', () => {});
    abandonConnection(late);
  });
  gatherWrites(connection);
  keepNumbers(connection);
  return connection;
}

/**
 * amqplib hands each frame, or piece of frames, to the socket by itself, and each would be a system call. What it hands over in
 * one go is written at once: the socket is corked until that go is over.
 */
export function gatherWrites(connection: ChannelModel): void {
  const socket = streamOf(connection);
  if (socket === undefined) return;
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  let corked = false;
  const uncork = () => {
    corked = false;
    socket.uncork();
  };
  socket.write = (...args: unknown[]) => {
    if (!corked) {
      corked = true;
      socket.cork();
      process.nextTick(uncork);
    }
    return write(...args);
  };
}

/**
 * amqplib gives the number of a channel that has closed to the next one at once, while what the old one has handed over may still
 * wait for the socket. The broker would take it for the new one's, and close the connection. So the number stays in use
 * until the last of it, the old channel's goodbye, is written.
 */
export function keepNumbers(connection: ChannelModel): void {
  const inside = connection.connection as unknown as Numbers;
  const { channels, freeChannels } = inside;
  const release = inside.releaseChannel?.bind(inside);
  if (release === undefined || freeChannels === undefined) return;
  inside.releaseChannel = (number) => {
    const buffer = channels?.[number]?.buffer;
    release(number);
    if (buffer === undefined || buffer.readableEnded) return;
    freeChannels.set(number);
    buffer.once('end', () => freeChannels.clear(number));
  };
}

/** Of amqplib's connection, what its types do not tell of. A bit of `freeChannels` is set while its number is in use. */
type Numbers = {
  readonly channels?: readonly ({ readonly buffer?: Readable } | null)[];
  readonly freeChannels?: { set(number: number): void; clear(number: number): void };
  releaseChannel?: (number: number) => void;
};

/** Closes in order; past the deadline, or when it is broken, at once. Never rejects. */
export async function closeConnection(connection: ChannelModel): Promise<void> {
  try {
    await within(CLOSE_DEADLINE, 'closing the connection', connection.close());
  } catch {
    // It is closed, or will be in a moment.
  }
  abandonConnection(connection);
}

/**
 * Lets go of the socket. amqplib only ends its writing side, and a peer that is gone without a word (a heartbeat
 * timeout) would keep it open for as long as TCP repeats itself, some 15 minutes.
 */
export function abandonConnection(connection: ChannelModel): void {
  streamOf(connection)?.destroy();
}

/** The socket, which amqplib's types do not tell of. */
function streamOf(connection: ChannelModel): Duplex | undefined {
  return (connection.connection as { stream?: Duplex }).stream;
}
