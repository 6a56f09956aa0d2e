import type { TypedPort } from '../../src/protocol/typed-port.ts';
import type { Scope } from './scope.ts';

/** How long a message takes from one thread to the other, ms. */
export type PortDelay = () => number;

/** The two ends of a port between two threads: what is sent arrives later, and in order. */
export function createPorts<A, B>(
  one: Scope,
  other: Scope,
  delay: PortDelay,
): [TypedPort<A, B>, TypedPort<B, A>] {
  const toOther = new Way<A>(other, delay);
  const toOne = new Way<B>(one, delay);
  const end = <Sent, Received>(out: Way<Sent>, back: Way<Received>): TypedPort<Sent, Received> => ({
    send: (message) => out.send(message),
    listen: (listener) => back.listen(listener),
    close: () => {
      out.close();
      back.close();
    },
  });
  return [end(toOther, toOne), end(toOne, toOther)];
}

class Way<T> {
  readonly #scope: Scope;
  readonly #delay: PortDelay;
  #listener: ((message: T) => void) | null = null;
  #waiting: T[] = [];
  #lastAt = 0;
  #closed = false;

  constructor(scope: Scope, delay: PortDelay) {
    this.#scope = scope;
    this.#delay = delay;
  }

  send(message: T): void {
    if (this.#closed) return;
    const { now } = this.#scope.world;
    this.#lastAt = Math.max(this.#lastAt, now + this.#delay());
    this.#scope.after(this.#lastAt - now, () => this.#arrive(message));
  }

  listen(listener: (message: T) => void): void {
    this.#listener = listener;
    for (const message of this.#waiting.splice(0)) listener(message);
  }

  /** What was sent still arrives. */
  close(): void {
    this.#closed = true;
  }

  #arrive(message: T): void {
    if (this.#listener === null) this.#waiting.push(message);
    else this.#listener(message);
  }
}
