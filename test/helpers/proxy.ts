import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export type Side = 'client' | 'server';

/**
 * What a piece of data meets on its way. `connection` counts them from 1. A promise holds the piece back, and what
 * follows it from that side of this connection, its end too, until it resolves.
 */
export type Listener = (from: Side, data: Buffer, connection: number) => unknown;

export type TcpProxy = {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** Connections that clients have made so far. */
  readonly made: number;
  /** Stops passing on what the server says, or what the client says, and goes on: nothing is lost. */
  holdServer(hold: boolean): void;
  holdClient(hold: boolean): void;
  /** From now on each piece of data takes so long, in either direction, ms. */
  delay(ms: number): void;
  /**
   * While on, all that either side says vanishes, on new connections too, which are accepted. A connection that
   * met this stays so for ever, and neither side is told of the other's end; those made afterwards work.
   */
  blackHole(on: boolean): void;
  /**
   * As after a server's power cut: the server knows nothing of the connections that are open now, and the clients
   * are told nothing of it. New connections work.
   */
  halfOpen(): void;
  /** While on, new connections are ended at once. */
  refuse(on: boolean): void;
  /** Ends all connections without a word of the protocol. */
  cut(): void;
  /** Called with each piece of data before it is passed on: what it does to the proxy counts for this one too. */
  listen(listener: Listener | null): void;
  /** Resolves once `count` connections were made. */
  connections(count: number): Promise<void>;
  close(): Promise<void>;
};

/** A TCP proxy in front of a server, which can be made to fail in the ways of a network. */
export async function startProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  const held = { client: false, server: false };
  const waiting = new Set<() => void>();
  let listener: Listener | null = null;
  let latency = 0;
  let black = false;
  let refused = false;
  let made = 0;

  const server = createServer((socket) => {
    if (refused) {
      socket.on('error', () => {}).destroy();
      return;
    }
    made += 1;
    const number = made;
    const pair = new Pair(socket, connect({ host: target.host, port: target.port, noDelay: true }), {
      latency: () => latency,
      onData: (from, data) => listener?.(from, data, number),
      onEnded: () => pairs.delete(pair),
    });
    pairs.add(pair);
    if (black) pair.blacken();
    pair.hold(held);
    for (const wake of waiting) wake();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });

  const hold = (side: Side, on: boolean): void => {
    held[side] = on;
    for (const pair of pairs) pair.hold(held);
  };
  const cut = (): void => {
    for (const pair of pairs) pair.end();
  };
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    get made() {
      return made;
    },
    holdServer: (on) => hold('server', on),
    holdClient: (on) => hold('client', on),
    delay(ms) {
      latency = ms;
    },
    blackHole(on) {
      black = on;
      if (on) for (const pair of pairs) pair.blacken();
    },
    halfOpen() {
      for (const pair of pairs) pair.forgetServer();
    },
    refuse(on) {
      refused = on;
    },
    cut,
    listen(next) {
      listener = next;
    },
    async connections(count) {
      while (made < count) {
        await new Promise<void>((resolve) => {
          const wake = (): void => {
            waiting.delete(wake);
            resolve();
          };
          waiting.add(wake);
        });
      }
    },
    close() {
      cut();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

type PairOptions = {
  /** ms */
  readonly latency: () => number;
  readonly onData: (from: Side, data: Buffer) => unknown;
  readonly onEnded: () => void;
};

/** A client's connection and the one to the server that belongs to it. */
class Pair {
  readonly #sockets: { readonly client: Socket; readonly server: Socket };
  readonly #options: PairOptions;
  #black = false;

  constructor(client: Socket, server: Socket, options: PairOptions) {
    this.#sockets = { client: client.setNoDelay(true), server };
    this.#options = options;
    this.#pass('client', client, server);
    this.#pass('server', server, client);
  }

  hold(held: Readonly<Record<Side, boolean>>): void {
    for (const side of ['client', 'server'] as const) {
      if (held[side]) this.#sockets[side].pause();
      else this.#sockets[side].resume();
    }
  }

  blacken(): void {
    this.#black = true;
  }

  forgetServer(): void {
    this.#black = true;
    this.#sockets.server.destroy();
  }

  end(): void {
    this.#sockets.client.destroy();
    this.#sockets.server.destroy();
  }

  #pass(from: Side, source: Socket, sink: Socket): void {
    const { latency, onData, onEnded } = this.#options;
    /** Resolves when all that has come so far was passed on; null when that is so. */
    let held: Promise<void> | null = null;
    const pass = (data: Buffer): void => {
      if (!this.#black && !sink.destroyed) sink.write(data);
    };
    source.on('data', (data) => {
      const until = onData(from, data);
      const slow = latency() > 0 ? delay(latency()) : null;
      if (held === null && slow === null && !(until instanceof Promise)) return pass(data);
      // None overtakes another.
      const waiting: Promise<void> = Promise.all([held, slow, until]).then(() => {
        pass(data);
        if (held === waiting) held = null;
      });
      held = waiting;
    });
    const ended = async (): Promise<void> => {
      while (held !== null) await held;
      if (this.#black) source.destroy();
      // What was sent is to arrive: a server that is only told of the end answers, and then ends it too.
      else if (from === 'client') sink.end();
      else this.end();
      if (source.destroyed && sink.destroyed) onEnded();
    };
    source.on('error', ended).on('close', ended);
  }
}
