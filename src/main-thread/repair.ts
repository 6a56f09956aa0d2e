import { type Clock, SlewedClock, STEP_LIMIT, systemTimers } from '../clock.ts';
import type { Config } from '../config.ts';
import { newTag } from '../database/migrations.ts';
import { COUNT_DEADLINE, openSession, type SqlSession } from '../database/session.ts';
import { explainConnectionError } from '../database/sql-errors.ts';
import { stateStatements } from '../database/state-statements.ts';
import { jobStatements } from '../database/statements.ts';
import { DalgaError, StartupError } from '../errors.ts';
import { decodeExceptions, encodeExceptions } from '../job/exceptions.ts';
import { formatTime, parseTime } from '../job/rfc3339.ts';
import { Fenced, type Transaction } from './store/owner-session.ts';
import type { Owned } from './store/ownership.ts';
import { checkTables } from './store/schema-check.ts';
import { ownAlone } from './store/sole-ownership.ts';

/** What an operator mends in a table that no instance owns. */

export type RepairConfig = Pick<Config, 'mysql' | 'lease' | 'withoutLease'>;
/** `tell` shows a line at once; the signal ends the work before its end. */
export type RepairLife = { readonly signal: AbortSignal; readonly tell: (line: string) => void };
/** What a work on the table has to say at its end; `complete`: nothing was refused. */
export type Report = { readonly lines: readonly string[]; readonly complete: boolean };

/**
 * Sets the durable watermark, so that the next start runs what was scheduled from then on, as after an outage. The
 * stamps of later changes begin there too, since a clock that was ahead has left both ahead.
 *
 * @param text RFC 3339
 * @throws StartupError
 */
export function resetWatermark(
  config: RepairConfig,
  text: string,
  life: RepairLife,
  clock: Clock = new SlewedClock(),
): Promise<Report> {
  let time: number;
  try {
    time = parseTime('-reset-watermark', text);
  } catch (error) {
    throw new StartupError((error as DalgaError).message);
  }
  if (time > clock.now() + STEP_LIMIT) {
    throw new StartupError(
      `-reset-watermark must not be ahead of this machine's clock, which shows ${formatTime(clock.now())}`,
    );
  }
  const { table } = config.mysql;
  return repair(config, `dalga -reset-watermark ${text}`, life, clock, {
    async write({ run }, { epoch, exceptions }) {
      // A catch-up that broke off is told from the watermark before.
      const listed = encodeExceptions({ ...decodeExceptions(exceptions), caughtUp: null, paced: null });
      await run(stateStatements(table).resetWatermark(epoch, time, listed));
      return time;
    },
    async report(session) {
      const { rows } = await session.run(jobStatements(table).plannedAfter(time), COUNT_DEADLINE);
      const ahead = Number(rows[0]?.[0] ?? 0);
      const lines = [`the watermark of table ${table} is ${formatTime(time)}`];
      if (ahead > 0) lines.push(`${ahead} jobs were changed after that time, and owe nothing from before it`);
      return lines;
    },
  });
}

/** Gives the table a new tag: message_ids are then none that another deployment with the same ids makes or made. */
export function renewTag(config: RepairConfig, life: RepairLife): Promise<Report> {
  const tag = newTag();
  const { table } = config.mysql;
  return repair(config, 'dalga -new-tag', life, new SlewedClock(), {
    async write({ state, run }, { epoch }) {
      await run(stateStatements(table).renewTag(epoch, tag));
      return state.stamp;
    },
    report: async () => [`message_ids of table ${table} begin with ${tag} from now on`],
  });
}

type Repair = {
  /** @returns the highest stamp from now on */
  write(transaction: Transaction, owned: Owned): Promise<number>;
  /** What there is to tell once it is written. */
  report(session: SqlSession): Promise<readonly string[]>;
};

/** Owns the table for the length of one transaction. */
async function repair(
  config: RepairConfig,
  address: string,
  { signal, tell }: RepairLife,
  clock: Clock,
  { write, report }: Repair,
): Promise<Report> {
  await checkTables(config.mysql);
  const session = await openSession(config.mysql).catch((error: unknown) => {
    throw explainConnectionError(error, config.mysql);
  });
  try {
    const owned = await ownAlone({ config, address, session, clock, timers: systemTimers, signal, tell });
    try {
      await owned.session.transaction(async (transaction) => ({
        write: true,
        stamp: await write(transaction, owned),
        nextId: transaction.state.nextId,
        value: undefined,
      }));
    } finally {
      await owned.session.release(null);
    }
    return { lines: await report(session), complete: true };
  } catch (error) {
    if (error instanceof DalgaError || error instanceof Fenced) throw new StartupError(error.message);
    throw error;
  } finally {
    await session.close();
  }
}
