import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Clock, Timers } from '../../clock.ts';
import type { Config } from '../../config.ts';
import type { SqlSession } from '../../database/session.ts';
import { stateStatements } from '../../database/state-statements.ts';
import { StartupError } from '../../errors.ts';
import { describeOwner } from './owned.ts';
import { acquireOwnership, type Owned, type OwnerInfo } from './ownership.ts';

/** How often a lease that is held is looked at, ms. */
const POLL = 100;

export type SoleOptions = {
  readonly config: Pick<Config, 'mysql' | 'lease' | 'withoutLease'>;
  /** What this program is doing with the table, in the place of an HTTP address. */
  readonly address: string;
  /** A session of the caller's, to look at the lease with. */
  readonly session: SqlSession;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
};

/**
 * Owns the table, or ends as soon as it is seen that another instance does: one that renews its lease. One that
 * was killed has left a lease behind that nobody renews, which is waited for.
 *
 * @throws StartupError that names the other instance; the signal's reason
 */
export async function ownAlone(options: SoleOptions): Promise<Owned> {
  const { config, address, clock, timers, signal, tell } = options;
  const abort = new AbortController();
  const end = () => abort.abort(signal.reason);
  signal.addEventListener('abort', end);
  if (signal.aborted) end();
  const say = (fields: unknown, text?: string) => tell(text ?? String(fields));
  try {
    return await acquireOwnership(
      {
        config,
        instance: { id: randomUUID(), host: hostname(), address },
        ...{ clock, timers, log: { info: say, warn: say, error: say } },
        // Its next transaction fails, and tells it.
        onFenced: () => {},
        onTrusted: () => {},
        onConnection: (reason) => tell(reason === null ? 'MySQL is back' : `MySQL is away: ${reason}`),
      },
      {
        signal: abort.signal,
        onStandby: (owner) => {
          tell(`table ${config.mysql.table} is owned by ${describeOwner(owner)}; waiting for a sign of life`);
          void whenAlive(options, abort.signal).then(
            (alive) => alive && abort.abort(ownedElsewhere(owner, config.mysql.table)),
            (error: unknown) => abort.abort(error),
          );
        },
      },
    );
  } finally {
    signal.removeEventListener('abort', end);
    abort.abort();
  }
}

function ownedElsewhere(owner: OwnerInfo, table: string): StartupError {
  return new StartupError(
    `table '${table}' is owned by another instance, ${describeOwner(owner)}, which runs; stop it, then run this again`,
  );
}

/** Resolves to true when the lease was renewed, to false when it need not be looked at any more. */
async function whenAlive({ session, config, timers }: SoleOptions, signal: AbortSignal): Promise<boolean> {
  const statements = stateStatements(config.mysql.table);
  const renewals = async () => (await session.run(statements.look({ lock: false }))).rows[0]?.[6];
  const first = await renewals();
  while (!signal.aborted) {
    await new Promise<void>((resolve) => timers.set(resolve, POLL));
    if (!signal.aborted && (await renewals()) !== first) return true;
  }
  return false;
}
