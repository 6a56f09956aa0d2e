import type { MessagePort, Transferable } from 'node:worker_threads';

/** A message port that carries one closed set of messages each way. */
export type TypedPort<Sent, Received> = {
  send(message: Sent, transfer?: readonly Transferable[]): void;
  /** One listener at a time: it gets every message, in order. */
  listen(listener: (message: Received) => void): void;
  close(): void;
};

export function typedPort<Sent, Received>(port: MessagePort): TypedPort<Sent, Received> {
  return {
    send: (message, transfer = []) => port.postMessage(message, transfer),
    listen(listener) {
      port.removeAllListeners('message');
      port.on('message', listener);
    },
    close: () => port.close(),
  };
}

/** For the default branch of a switch over a closed union: a member that was forgotten does not compile. */
export function unreachable(value: never): never {
  throw new Error(`unexpected message: ${JSON.stringify(value)}`);
}
