import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type Proxy = {
  readonly port: number;
  /** Stops passing on what the server says, or what the client says, and goes on. */
  holdServer(hold: boolean): void;
  holdClient(hold: boolean): void;
  /** Ends all connections without a word of the protocol. */
  cut(): void;
  /** Resolves with the number of connections made so far, once there are `count`. */
  connections(count: number): Promise<void>;
  close(): Promise<void>;
};

/** A TCP proxy in front of a server, which can be made to fail. */
export async function startProxy(target: { host: string; port: number }): Promise<Proxy> {
  const pairs = new Set<{ client: Socket; server: Socket }>();
  const held = { client: false, server: false };
  let made = 0;
  let onMade = (): void => {};
  const listener = createServer((client) => {
    const server = connect({ ...target, noDelay: true });
    const pair = { client, server };
    pairs.add(pair);
    made += 1;
    onMade();
    const end = (): void => {
      client.destroy();
      server.destroy();
      pairs.delete(pair);
    };
    for (const socket of [client, server]) socket.on('error', end).on('close', end);
    client.on('data', (data) => server.write(data));
    server.on('data', (data) => client.write(data));
    apply(pair);
  });
  function apply({ client, server }: { client: Socket; server: Socket }): void {
    if (held.client) client.pause();
    else client.resume();
    if (held.server) server.pause();
    else server.resume();
  }
  await new Promise<void>((resolve) => {
    listener.listen(0, '127.0.0.1', resolve);
  });
  const cut = (): void => {
    for (const { client } of pairs) client.destroy();
  };
  return {
    port: (listener.address() as AddressInfo).port,
    holdServer(hold) {
      held.server = hold;
      for (const pair of pairs) apply(pair);
    },
    holdClient(hold) {
      held.client = hold;
      for (const pair of pairs) apply(pair);
    },
    cut,
    async connections(count) {
      while (made < count) {
        await new Promise<void>((resolve) => {
          onMade = resolve;
        });
      }
    },
    close() {
      cut();
      return new Promise((resolve) => {
        listener.close(() => resolve());
      });
    },
  };
}
