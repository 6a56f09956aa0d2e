import type { Clock, ServerReading } from '../../clock.ts';
import type { SqlSession } from '../../database/session.ts';
import type { StateStatements } from '../../database/state-statements.ts';

export type LeaseTrustOptions = {
  /** ms */
  readonly lease: number;
  readonly withoutLease: 'publish' | 'stop';
  readonly clock: Clock;
  /** Monotonic ms; Infinity while no standby could take over. */
  readonly onTrusted: (until: number) => void;
  /** MySQL's clock was read. */
  readonly onServerClock: (reading: ServerReading) => void;
};

/** What a renewal saw of the others. */
export type Look = {
  /** Monotonic ms. */
  readonly began: number;
  readonly ended: number;
  readonly standbys: number;
  /** Unix ms. */
  readonly serverNow: number;
};

/** A standby that was not seen for the lease and this share of it is dead. */
const STANDBY_MARGIN = 0.5;

/**
 * How long the owner may trust its lease. Every transaction renews it; the first one after
 * each third of the lease also looks whether anybody waits to take over.
 */
export class LeaseTrust {
  readonly #options: LeaseTrustOptions;
  /** Monotonic ms when the last look began. */
  #lookedAt = Number.NEGATIVE_INFINITY;
  #alone = false;

  constructor(options: LeaseTrustOptions) {
    this.#options = options;
  }

  /** Looks, when it is time; within a transaction, so that the look counts only once that has committed. */
  async look(session: SqlSession, statements: StateStatements): Promise<Look | null> {
    const { clock, lease } = this.#options;
    const began = clock.monotonic();
    if (began - this.#lookedAt < lease / 3) return null;
    const { rows } = await session.run(statements.standbys(lease * (1 + STANDBY_MARGIN)));
    const [standbys, serverNow] = rows[0] ?? [];
    return { began, ended: clock.monotonic(), standbys: Number(standbys), serverNow: Number(serverNow) };
  }

  /** A transaction committed. @param began monotonic ms, read before anything of it was asked */
  renewed(began: number, look: Look | null): void {
    const { lease, withoutLease, onTrusted, onServerClock } = this.#options;
    if (look !== null) {
      this.#lookedAt = look.began;
      this.#alone = look.standbys === 0 && withoutLease === 'publish';
      onServerClock({ time: look.serverNow, monotonic: (look.began + look.ended) / 2 });
    }
    onTrusted(this.#alone ? Number.POSITIVE_INFINITY : began + lease);
  }
}
