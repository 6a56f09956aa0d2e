import type { Statement } from './statements.ts';
import { PARTITION, quoteTable } from './statements.ts';

/** How the owner and the standbys name themselves. */
export type InstanceName = { readonly id: string; readonly host: string; readonly address: string };

/** What every transaction of the owner writes into the state row. */
export type StateWrite = {
  readonly batch: number;
  readonly stamp: number;
  readonly nextId: number;
  /** ms */
  readonly lease: number;
  readonly checkpoint: { readonly watermark: number; readonly exceptions: Uint8Array | null } | null;
};

/** The server's clock as Unix ms; sessions are in UTC. */
const SERVER_CLOCK = 'CAST(ROUND(UNIX_TIMESTAMP(UTC_TIMESTAMP(3)) * 1000) AS SIGNED)';

export type StateStatements = ReturnType<typeof stateStatements>;

/** The tables of the lease and of the standbys. */
export function stateStatements(tableName: string) {
  const state = quoteTable(tableName, '_state');
  const instance = quoteTable(tableName, '_instance');
  return {
    /**
     * The first statement of every write transaction of the owner: the fence, and the numbers to go on from.
     * Columns: epoch, owner, batch, stamp, next_id.
     */
    lock: (): Statement => ({
      sql: `SELECT epoch, owner, batch, stamp, next_id FROM ${state} WHERE partition_id = ? FOR UPDATE`,
      values: [PARTITION],
    }),

    /** The last statement before COMMIT. Exceptions are written only when they changed. */
    write: (epoch: number, { batch, stamp, nextId, lease, checkpoint }: StateWrite): Statement => {
      const set = [
        'batch = ?, stamp = ?, next_id = ?, owner_connection = CONNECTION_ID(), lease_ms = ?',
        'lease_until = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND, renewals = renewals + 1',
        ...checkpointColumns(checkpoint),
      ];
      return {
        sql: `UPDATE ${state} SET ${set.join(', ')} WHERE partition_id = ? AND epoch = ?`,
        values: [
          batch,
          stamp,
          nextId,
          lease,
          lease * 1000,
          ...checkpointValues(checkpoint),
          PARTITION,
          epoch,
        ],
      };
    },

    /** The end of a clean stop: the last checkpoint and the release of the lease in one. */
    release: (epoch: number, { batch, checkpoint }: Pick<StateWrite, 'batch' | 'checkpoint'>): Statement => {
      const set = [
        'batch = ?, owner = NULL, owner_connection = NULL, lease_until = NULL, renewals = renewals + 1',
        ...checkpointColumns(checkpoint),
      ];
      return {
        sql: `UPDATE ${state} SET ${set.join(', ')} WHERE partition_id = ? AND epoch = ?`,
        values: [batch, ...checkpointValues(checkpoint), PARTITION, epoch],
      };
    },

    /**
     * What a standby looks at. Columns: epoch, owner, owner_host, owner_address, owner_connection, lease_ms,
     * renewals, 1 when the lease is over, tag, watermark, exceptions, stamp, next_id, batch, the server's clock
     * (Unix ms).
     */
    look: ({ lock }: { lock: boolean }): Statement => ({
      sql:
        'SELECT epoch, owner, owner_host, owner_address, owner_connection, lease_ms, renewals, ' +
        'COALESCE(lease_until < UTC_TIMESTAMP(3), 1), tag, watermark, exceptions, stamp, next_id, batch, ' +
        `${SERVER_CLOCK} ` +
        `FROM ${state} WHERE partition_id = ?${lock ? ' FOR UPDATE' : ''}`,
      values: [PARTITION],
    }),

    /** From here on message_ids begin with another tag. */
    renewTag: (epoch: number, tag: string): Statement => ({
      sql: `UPDATE ${state} SET tag = ? WHERE partition_id = ? AND epoch = ?`,
      values: [tag, PARTITION, epoch],
    }),

    /** Stamps begin anew there, so that none is ahead of the clock; what was unsettled stays listed. @param time Unix ms */
    resetWatermark: (epoch: number, time: number, exceptions: Uint8Array): Statement => ({
      sql: `UPDATE ${state} SET watermark = ?, stamp = ?, exceptions = ? WHERE partition_id = ? AND epoch = ?`,
      values: [time, time, exceptions, PARTITION, epoch],
    }),

    /** @param lease ms */
    takeOver: (epoch: number, { id, host, address }: InstanceName, lease: number): Statement => ({
      sql:
        `UPDATE ${state} SET epoch = ?, owner = ?, owner_host = ?, owner_address = ?, ` +
        'owner_connection = CONNECTION_ID(), lease_ms = ?, ' +
        'lease_until = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND, renewals = renewals + 1 ' +
        'WHERE partition_id = ?',
      values: [epoch, id, host, address, lease, lease * 1000, PARTITION],
    }),

    /** A standby makes itself known, and known to be alive. */
    register: ({ id, host, address }: InstanceName): Statement => ({
      sql:
        `INSERT INTO ${instance} (partition_id, instance_id, host, address, connection_id, seen_at) ` +
        'VALUES (?, ?, ?, ?, CONNECTION_ID(), UTC_TIMESTAMP(3)) ' +
        'ON DUPLICATE KEY UPDATE connection_id = CONNECTION_ID(), seen_at = UTC_TIMESTAMP(3)',
      values: [PARTITION, id, host, address],
    }),

    unregister: (id: string): Statement => ({
      sql: `DELETE FROM ${instance} WHERE partition_id = ? AND instance_id = ?`,
      values: [PARTITION, id],
    }),

    /** Forgets standbys that were not seen for this long. @param age ms */
    expire: (age: number): Statement => ({
      sql: `DELETE FROM ${instance} WHERE partition_id = ? AND seen_at < UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND`,
      values: [PARTITION, age * 1000],
    }),

    /** Columns: the standbys seen within `age` (ms), and the server's clock as Unix ms. */
    standbys: (age: number): Statement => ({
      sql: `SELECT COUNT(*), ${SERVER_CLOCK} FROM ${instance} WHERE partition_id = ? AND seen_at >= UTC_TIMESTAMP(3) - INTERVAL ? MICROSECOND`,
      values: [PARTITION, age * 1000],
    }),
  };
}

function checkpointColumns(checkpoint: StateWrite['checkpoint']): string[] {
  if (checkpoint === null) return [];
  return checkpoint.exceptions === null ? ['watermark = ?'] : ['watermark = ?, exceptions = ?'];
}

function checkpointValues(checkpoint: StateWrite['checkpoint']): (number | Uint8Array)[] {
  if (checkpoint === null) return [];
  const { watermark, exceptions } = checkpoint;
  return exceptions === null ? [watermark] : [watermark, exceptions];
}
