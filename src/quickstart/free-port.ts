import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/**
 * Picks `count` different TCP ports that are free on 127.0.0.1 at this moment. Someone else may take one before
 * it is used, so whoever binds it must be ready to try again with others.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  // All are held until each has its own: a port closed at once could be handed out twice.
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  return ports;
}

/** Whether 127.0.0.1:`port` can be bound, that is, nothing else listens there. */
export async function isPortFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
