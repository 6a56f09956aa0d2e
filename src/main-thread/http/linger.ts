import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** How long the rest of a refused request is read and thrown away, ms. */
const LINGER = 1000;

/**
 * Closes a connection whose client may still be sending. Closing it with unread bytes would reset it, and the
 * client might never see the answer; so only the sending half is closed, and what comes is read for a while.
 */
export function closeGently(socket: Duplex): void {
  socket.end();
  const timer = setTimeout(() => socket.destroy(), LINGER);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}

/** To be called before a request is answered of which not all has come: has its connection closed gently. */
export function lingerAfter({ complete, socket }: IncomingMessage): void {
  // Not `!complete`: an injected request has no such property, nor a connection. Node calls destroySoon once the
  // response is written, where the connection is not kept.
  if (complete === false) socket.destroySoon = () => closeGently(socket);
}
