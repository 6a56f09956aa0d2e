import type { Clock, ServerReading } from '../../clock.ts';
import type { MysqlConfig } from '../../config.ts';
import { endConnection, isConnected } from '../../database/end-connection.ts';
import type { SqlSession } from '../../database/session.ts';
import { decodeSpan, spanStatements } from '../../database/span-statements.ts';
import { type StateStatements, stateStatements } from '../../database/state-statements.ts';
import { transaction as sql } from '../../database/statements.ts';
import type { Instance, Owned, OwnerInfo } from './owned.ts';

export type CandidateOptions = {
  readonly mysql: MysqlConfig;
  /** ms */
  readonly lease: number;
  readonly instance: Instance;
  readonly clock: Clock;
  readonly onStandby: (owner: OwnerInfo) => void;
  /** MySQL's clock was read. */
  readonly onServerClock: (reading: ServerReading) => void;
};

export type Taken = {
  readonly state: Omit<Owned, 'session'>;
  /** Monotonic ms, read before the takeover was asked for. */
  readonly began: number;
};

/** A dead standby's row is deleted when it was not seen for this many leases. */
const FORGET_AFTER = 5;

/**
 * An instance that wants to own the table. It may take it
 *
 *   at once       when the lease was released, or when its owner was an earlier process of this very instance (same
 *                 host name and HTTP address, which this process has bound by now) whose connection is gone;
 *   later         when this instance was registered as a standby for one full lease, so that an owner which reaches
 *                 MySQL has seen it, and the lease is over by MySQL's clock, or the row was not renewed for one full
 *                 lease by this process's monotonic clock (MySQL's clock may step back).
 *
 * What was decided on is checked again under the row's lock.
 */
export class Candidate {
  readonly #options: CandidateOptions;
  readonly #statements: StateStatements;
  /** Monotonic ms; null while the owner cannot have seen it. */
  #registeredAt: number | null = null;
  #seenAt = Number.NEGATIVE_INFINITY;
  /** The lease row as it was first seen, monotonic ms. */
  #observed: { epoch: number; renewals: number; at: number } | null = null;
  #told: string | null = null;
  /** ms: the owner counts the standbys that it saw within its own lease. */
  #ownerLease = Number.POSITIVE_INFINITY;

  constructor(options: CandidateOptions) {
    this.#options = options;
    this.#statements = stateStatements(options.mysql.table);
  }

  /** Null when it has to wait. @throws the error of a statement; the session may be in a transaction then */
  async tryToTake(session: SqlSession): Promise<Taken | null> {
    await this.#register(session);
    const row = await this.#look(session, false);
    if (!(await this.#mayTake(session, row))) {
      this.#tell(row);
      return null;
    }
    if (row.connection !== null) await endConnection(session, row.connection, this.#options.mysql);
    return this.#take(session, row);
  }

  async #register(session: SqlSession): Promise<void> {
    const { clock, lease, instance } = this.#options;
    const now = clock.monotonic();
    if (now - this.#seenAt < Math.min(lease, this.#ownerLease) / 3) return;
    await session.run(this.#statements.register(instance));
    await session.run(this.#statements.expire(lease * FORGET_AFTER));
    // One that was silent for a lease may have been counted as dead: it begins to wait anew.
    if (now - this.#seenAt > Math.min(lease, this.#ownerLease)) this.#registeredAt = clock.monotonic();
    this.#seenAt = now;
  }

  async #look(session: SqlSession, lock: boolean): Promise<LeaseRow> {
    const { clock, onServerClock } = this.#options;
    const began = clock.monotonic();
    const { rows } = await session.run(this.#statements.look({ lock }));
    if (rows[0] === undefined) throw new Error('the state row is missing');
    onServerClock({ time: Number(rows[0][14]), monotonic: (began + clock.monotonic()) / 2 });
    return leaseRow(rows[0]);
  }

  async #mayTake(session: SqlSession, row: LeaseRow): Promise<boolean> {
    const { instance, clock, mysql } = this.#options;
    this.#ownerLease = row.lease;
    // Its own: the COMMIT of its takeover was lost, but had arrived.
    if (row.owner === null || row.owner === instance.id) return true;
    if (row.host === instance.host && row.address === instance.address) {
      if (row.connection === null || !(await isConnected(session, row.connection, mysql))) return true;
    }
    const now = clock.monotonic();
    if (this.#observed?.epoch !== row.state.epoch || this.#observed.renewals !== row.renewals) {
      this.#observed = { epoch: row.state.epoch, renewals: row.renewals, at: now };
    }
    if (this.#registeredAt === null || now - this.#registeredAt < row.lease) return false;
    return row.over || now - this.#observed.at >= row.lease;
  }

  async #take(session: SqlSession, seen: LeaseRow): Promise<Taken | null> {
    const { clock, instance, lease } = this.#options;
    const began = clock.monotonic();
    await session.run(sql.start);
    const row = await this.#look(session, true);
    if (row.state.epoch !== seen.state.epoch || row.renewals !== seen.renewals) {
      await session.run(sql.rollBack);
      return null;
    }
    const epoch = row.state.epoch + 1;
    // No earlier owner writes any more, and this one does not yet.
    const spans = await session.run(spanStatements(this.#options.mysql.table).load());
    await session.run(this.#statements.takeOver(epoch, instance, lease));
    await session.run(this.#statements.unregister(instance.id));
    await session.run(sql.commit);
    return { state: { ...row.state, epoch, spans: spans.rows.map(decodeSpan) }, began };
  }

  #tell({ state, host, address }: LeaseRow): void {
    const name = `${state.epoch}`;
    if (this.#told === name) return;
    this.#told = name;
    this.#options.onStandby({ host: host ?? 'an unknown host', address: address ?? 'an unknown address' });
  }
}

type LeaseRow = {
  readonly state: Omit<Owned, 'session' | 'spans'>;
  readonly owner: string | null;
  readonly host: string | null;
  readonly address: string | null;
  readonly connection: number | null;
  /** ms */
  readonly lease: number;
  readonly renewals: number;
  /** By the server's clock. */
  readonly over: boolean;
};

function leaseRow(row: readonly unknown[]): LeaseRow {
  return {
    state: {
      epoch: row[0] as number,
      tag: row[8] as string,
      watermark: row[9] as number,
      // An array of its own, since it is posted to the scheduler thread.
      exceptions: new Uint8Array(row[10] as Buffer),
      stamp: row[11] as number,
      nextId: row[12] as number,
      batch: row[13] as number,
    },
    owner: row[1] as string | null,
    host: row[2] as string | null,
    address: row[3] as string | null,
    connection: row[4] as number | null,
    lease: row[5] as number,
    renewals: row[6] as number,
    over: row[7] === 1,
  };
}
