import type { Server } from 'node:http';
import type { Clock, Timers } from '../../clock.ts';

/** How long the clients of a server that stops may take to read their answers, ms. */
const PATIENCE = 500;
/** How often it is looked whether they have, ms. */
const LOOK_AGAIN = 10;

export type AnswersTakenOptions = {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly timers: Timers;
  /** Monotonic ms. */
  readonly deadline: number;
};

/**
 * Resolves when nobody is connected any more to a server that takes no new connections, or when the time is over. An
 * answer that was written may still be on its way: whoever closes its connection, while its request comes in, cuts it
 * off. One that is taken leaves the connection idle, or is closed by the client, where not all of its request was sent.
 */
export async function answersTaken(
  server: Server,
  { clock, timers, deadline }: AnswersTakenOptions,
): Promise<void> {
  const end = Math.min(clock.monotonic() + PATIENCE, deadline);
  for (;;) {
    server.closeIdleConnections();
    if ((await connectionsOf(server)) === 0 || clock.monotonic() >= end) return;
    await new Promise<void>((resolve) => timers.set(resolve, LOOK_AGAIN));
  }
}

function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve) => {
    // Only servers whose sockets lie in other processes have errors here.
    server.getConnections((_error, count) => resolve(count ?? 0));
  });
}
