import { type ChannelModel, connect } from 'amqplib';
import { gatherWrites } from '../../../src/publisher-thread/connect.ts';
import type { PrivateRabbitmq } from '../../../src/quickstart/private-servers.ts';

export type Broker = Pick<PrivateRabbitmq, 'host' | 'port' | 'user' | 'password' | 'vhost'>;

export type SocketTuning = {
  /** Bytes that the socket buffers before amqplib waits for its `drain`. */
  readonly socketBuffer: number;
  /** Whether what is written in a turn of the event loop goes to the socket in one write. */
  readonly cork: boolean;
};

/** Connects amqplib so that it publishes as fast as it can. */
export async function connectTuned(
  { host, port, user, password, vhost }: Broker,
  { socketBuffer, cork }: SocketTuning,
): Promise<ChannelModel> {
  // It goes to net.connect as it is, which takes more than amqplib's type says.
  const socketOptions = { noDelay: true, writableHighWaterMark: socketBuffer };
  const login = { protocol: 'amqp', hostname: host, port, username: user, password };
  const connection = await connect({ ...login, vhost: encodeURIComponent(vhost) }, socketOptions);
  if (cork) gatherWrites(connection);
  return connection;
}
