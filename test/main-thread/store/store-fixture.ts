import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import type { Test } from 'tap';
import { type Clock, SlewedClock } from '../../../src/clock.ts';
import type { MysqlConfig } from '../../../src/config.ts';
import { type Connect, openSession, type SqlRow, type SqlSession } from '../../../src/database/session.ts';
import { SessionLost } from '../../../src/database/sql-errors.ts';
import type { Statement } from '../../../src/database/statements.ts';
import {
  acquireOwnership,
  type Owned,
  type OwnershipOptions,
} from '../../../src/main-thread/store/ownership.ts';
import { createTables } from '../../../src/main-thread/store/schema-check.ts';
import { WatermarkGate } from '../../../src/main-thread/store/watermark-gate.ts';
import { createWriteCoalescer, type WriteCoalescer } from '../../../src/main-thread/store/write-coalescer.ts';
import type { Change } from '../../../src/protocol/main-scheduler.ts';
import { inTurn } from '../../helpers/in-turn.ts';
import { testMysql } from '../../helpers/servers.ts';

export const silent = pino({ level: 'silent' });

export const LEASE = 3_000;

/** A database with Dalga's tables, and sessions of the test's own in it. */
export async function storeFixture(t: Test) {
  const db = await testMysql();
  const mysql: MysqlConfig = { ...db, table: 'jobs' };
  await createTables(mysql);
  const observer = await openSession(mysql);
  t.teardown(async () => {
    await observer.close();
    await db.close();
  });
  return {
    mysql,
    clock: new SlewedClock(),
    query: async (sql: string): Promise<readonly SqlRow[]> => (await observer.run({ sql, values: [] })).rows,
    /** One column of one row. */
    value: async (sql: string): Promise<unknown> => (await observer.run({ sql, values: [] })).rows[0]?.[0],
  };
}

export type Fixture = Awaited<ReturnType<typeof storeFixture>>;

/** What a test does to a statement on its way to the server. */
export type Interference = (
  statement: Statement,
  session: SqlSession,
) =>
  | 'pass'
  /** The connection breaks before the statement reaches the server. */
  | 'lose-before'
  /** The connection breaks after the server has carried the statement out. */
  | 'lose-after'
  /** As lose-before, but the server does not notice that the client has gone. */
  | 'vanish'
  | Error;

/** Sessions of the owner that a test can break at any statement. */
export function breakable(mysql: MysqlConfig, interfere: Interference): Connect {
  return async () => {
    // A long wait_timeout, so that a session which is not killed stays.
    const inner = await openSession(mysql, { lease: 120_000, deadline: 2_000 });
    let vanished = false;
    let lost = false;
    const session: SqlSession = {
      get connectionId() {
        return inner.connectionId;
      },
      get usable() {
        return inner.usable && !lost;
      },
      runAll: inTurn((statement, deadline) => session.run(statement, deadline)),
      async run(statement, deadline) {
        const effect = interfere(statement, inner);
        if (effect instanceof Error) throw effect;
        if (effect === 'lose-after') await inner.run(statement, deadline);
        if (effect === 'pass') return inner.run(statement, deadline);
        lost = true;
        vanished = effect === 'vanish';
        if (!vanished) inner.destroy();
        throw new SessionLost(`the test broke the connection (${effect})`);
      },
      destroy: () => {
        if (!vanished) inner.destroy();
      },
      close: () => inner.close(),
    };
    return session;
  };
}

export type OwnSettings = Partial<OwnershipOptions> & { lease?: number; address?: string };

export function ownershipOptions(fixture: Fixture, settings: OwnSettings = {}): OwnershipOptions {
  const { lease = LEASE, address = '127.0.0.1:1', ...rest } = settings;
  return {
    config: { mysql: fixture.mysql, lease, withoutLease: 'publish' },
    instance: { id: randomUUID(), host: 'here', address },
    clock: fixture.clock,
    log: silent,
    onTrusted: () => {},
    onFenced: () => {},
    ...rest,
  };
}

/** Takes the table over at once. */
export async function own(t: Test, fixture: Fixture, settings: OwnSettings = {}): Promise<Owned> {
  const owned = await acquireOwnership(ownershipOptions(fixture, settings), {
    signal: AbortSignal.timeout(20_000),
    onStandby: () => {},
  });
  t.teardown(() => owned.session.close());
  return owned;
}

export type Writes = {
  readonly coalescer: WriteCoalescer;
  readonly gate: WatermarkGate;
  /** The batches of changes as they were posted. */
  readonly posted: (readonly Change[])[];
};

export function writesOf(
  t: Test,
  fixture: Fixture,
  owned: Owned,
  { clock = fixture.clock, admit }: { clock?: Clock; admit?: (more: number) => void } = {},
): Writes {
  const gate = new WatermarkGate({ watermark: owned.watermark, exceptions: owned.exceptions }, owned.stamp);
  const posted: (readonly Change[])[] = [];
  const coalescer = createWriteCoalescer({
    ...{ session: owned.session, gate, table: fixture.mysql.table, clock, log: silent, admit },
    post: (changes) => posted.push(changes),
  });
  t.teardown(() => coalescer.stop());
  return { coalescer, gate, posted };
}

export const EVERY_MINUTE = { interval: { ms: 60_000, text: null } };
export const REPLACE = { onlyCreate: false };

/** Polls until the condition holds: for what happens on the server, which sends no signal. */
export async function until(condition: () => Promise<boolean>, timeout = 10_000): Promise<void> {
  for (const end = Date.now() + timeout; Date.now() < end; ) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('the condition did not come to hold');
}
