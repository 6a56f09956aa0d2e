import { setTimeout as delay } from 'node:timers/promises';
import type { SoakWorld } from './world.ts';

export const FAULTS = [
  'kill -9 of the owner',
  'broker stopped and started',
  'broker killed',
  'broker frozen',
  'broker closes the connections',
  'MySQL stopped and started',
  'MySQL killed',
  'MySQL frozen',
  'takeover by the standby',
  'wall of changes',
] as const;

/** How long a server stays away, ms. */
const AWAY = 3000;
/** How long a server is frozen: the broker's heartbeat is 10 s, the lease 5 s; ms. */
const FROZEN = 8000;
/** Requests of a wall of changes, and how many clients send them at once. */
const CHANGES = 5000;
const CLIENTS = 32;

/** Brings a fault about; resolves when what it takes away is back. */
export async function bringAbout(fault: (typeof FAULTS)[number], world: SoakWorld): Promise<void> {
  switch (fault) {
    case 'kill -9 of the owner':
      return world.killOwner();
    case 'broker stopped and started':
      return world.restartBroker('SIGTERM', AWAY);
    case 'broker killed':
      return world.restartBroker('SIGKILL', AWAY);
    case 'broker frozen':
      return freeze(world.broker);
    case 'broker closes the connections':
      await world.broker.ctl('close_all_connections', 'an operator wants it');
      return;
    case 'MySQL stopped and started':
      return world.restartMysql('SIGTERM', AWAY);
    case 'MySQL killed':
      return world.restartMysql('SIGKILL', AWAY);
    case 'MySQL frozen':
      return freeze(world.mysql);
    case 'takeover by the standby':
      return world.freezeOwner();
    case 'wall of changes':
      return world.changeMany(CHANGES, CLIENTS);
  }
}

async function freeze(server: { kill(signal: NodeJS.Signals): void }): Promise<void> {
  server.kill('SIGSTOP');
  await delay(FROZEN);
  server.kill('SIGCONT');
}
