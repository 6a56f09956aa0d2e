import type { Server } from 'node:http';
import type { Logger } from 'pino';

/** How often a warning tells of connections beyond the limit, at most, ms. */
const WARN_AGAIN = 60_000;

/**
 * Closes connections beyond a limit as they come. Each takes a file descriptor, and without one the connections to
 * MySQL and RabbitMQ could not be made again when they are lost.
 */
export function limitConnections(
  server: Server,
  limit: number,
  logger: Pick<Logger, 'warn'> | undefined,
): void {
  server.maxConnections = limit;
  let dropped = 0;
  let quiet: NodeJS.Timeout | null = null;
  const tell = () => {
    quiet = null;
    if (dropped === 0) return;
    logger?.warn(
      { dropped },
      `more than ${limit} HTTP connections (DALGA_HTTP_MAX_CONNECTIONS): others are closed`,
    );
    dropped = 0;
    quiet = setTimeout(tell, WARN_AGAIN).unref();
  };
  server.on('drop', () => {
    dropped++;
    if (quiet === null) tell();
  });
}
