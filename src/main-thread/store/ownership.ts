import type { Clock, ServerReading, Timers } from '../../clock.ts';
import { systemTimers } from '../../clock.ts';
import type { Config } from '../../config.ts';
import type { Connect, SqlSession } from '../../database/session.ts';
import { openSession } from '../../database/session.ts';
import { explainConnectionError, isLost, isRetryable } from '../../database/sql-errors.ts';
import { stateStatements } from '../../database/state-statements.ts';
import type { Instance, Owned, OwnerInfo } from './owned.ts';
import type { OwnerSession, StoreLog } from './owner-session.ts';
import { Candidate } from './takeover.ts';
import { TransactionSession } from './transaction-session.ts';

export type { Instance, Owned, OwnerInfo } from './owned.ts';

export type OwnershipOptions = {
  readonly config: Pick<Config, 'mysql' | 'lease' | 'withoutLease'>;
  readonly instance: Instance;
  readonly clock: Clock;
  readonly timers?: Timers;
  readonly connect?: Connect | undefined;
  /** 0 to 1, for the jitter of backoffs. */
  readonly random?: (() => number) | undefined;
  readonly log: StoreLog;
  /** The lease was renewed: it may be trusted until then (monotonic ms; Infinity while there is no standby). */
  readonly onTrusted: (until: number) => void;
  /** MySQL's clock was read, by a standby or at a renewal. */
  readonly onServerClock?: (reading: ServerReading) => void;
  /** Another instance took over. Called once. */
  readonly onFenced: () => void;
  /** MySQL went away (the reason, for a person), or is back (null). */
  readonly onConnection?: (reason: string | null) => void;
  /** MySQL can be reached but takes no writes (the reason, for a person), or takes them again (null). */
  readonly onRefused?: (reason: string | null) => void;
};

/** How long the owner's sessions wait for a statement, and for a connection, ms: requests wait with them. */
const DEADLINE = 2_000;

/** How often a standby looks at the lease, ms: a twentieth of it within these bounds. */
const SHORTEST_POLL = 50;
const LONGEST_POLL = 500;

/**
 * Waits until this instance owns the table.
 *
 * @param onStandby called when it has to wait, and when the owner changes meanwhile
 * @throws StartupError when MySQL cannot be used at all; the signal's reason when it is aborted
 */
export async function acquireOwnership(
  options: OwnershipOptions,
  { signal, onStandby }: { signal: AbortSignal; onStandby: (owner: OwnerInfo) => void },
): Promise<Owned> {
  const { config, instance, clock } = options;
  const { mysql, lease } = config;
  const timers = options.timers ?? systemTimers;
  const connect =
    options.connect ??
    (() => openSession(mysql, { lease, deadline: DEADLINE, connectTimeout: DEADLINE, timers }));
  const onServerClock = options.onServerClock ?? (() => {});
  const candidate = new Candidate({ mysql, lease, instance, clock, onStandby, onServerClock });
  const poll = Math.min(Math.max(lease / 20, SHORTEST_POLL), LONGEST_POLL);
  let session = null as SqlSession | null;
  let reached = false;
  let away = false;
  for (;;) {
    if (signal.aborted) {
      await leave(session, mysql.table, instance.id);
      throw signal.reason;
    }
    let connected = false;
    try {
      session = session?.usable ? session : await connect();
      connected = true;
      const taken = await candidate.tryToTake(session);
      reached = true;
      if (away) options.onConnection?.(null);
      away = false;
      if (taken !== null) {
        options.onTrusted(taken.began + lease);
        return {
          ...taken.state,
          session: ownerSession(options, session, taken.state.epoch, connect, timers),
        };
      }
    } catch (error) {
      session?.destroy();
      // A last owner's transaction may hold the row for a moment; and whoever waits can wait for MySQL too.
      const passing = reached || isRetryable(error) || (connected && isLost(error));
      if (!passing) throw explainConnectionError(error, mysql);
      if (!away) options.onConnection?.(error instanceof Error ? error.message : String(error));
      away = true;
    }
    await pause(timers, poll, signal);
  }
}

function ownerSession(
  options: OwnershipOptions,
  session: SqlSession,
  epoch: number,
  connect: Connect,
  timers: Timers,
): OwnerSession {
  const { config, instance, clock, log, onTrusted, onFenced } = options;
  return new TransactionSession({
    ...{ mysql: config.mysql, lease: config.lease, withoutLease: config.withoutLease },
    ...{ owner: instance.id, epoch, session, connect, clock, timers, log, onTrusted, onFenced },
    random: options.random ?? Math.random,
    onServerClock: options.onServerClock ?? (() => {}),
    onConnection: options.onConnection ?? (() => {}),
    onRefused: options.onRefused ?? (() => {}),
  });
}

/** A standby that ends need not be waited for. */
async function leave(session: SqlSession | null, table: string, id: string): Promise<void> {
  if (!session?.usable) return;
  try {
    await session.run(stateStatements(table).unregister(id));
    await session.close();
  } catch {
    session.destroy();
  }
}

function pause(timers: Timers, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      timers.clear(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = timers.set(done, ms);
    if (signal.aborted) done();
    else signal.addEventListener('abort', done);
  });
}
