import type { Connection } from 'mysql2/promise';
import { decodeExceptions } from '../../src/job/exceptions.ts';
import { type Arrival, repetitions } from './recorder.ts';

/** What is durable of the progress. */
export type DurableState = {
  readonly epoch: number;
  /** Transactions of owners so far. */
  readonly renewals: number;
  /** Unix ms. */
  readonly watermark: number;
  /** As `id.time`, both in base 36: a message_id without its tag. */
  readonly exceptions: ReadonlySet<string>;
};

/**
 * Reads the state row.
 *
 * @param locking once whatever still writes it has ended: a COMMIT may outlive the process that sent it
 */
export async function readDurableState(
  connection: Connection,
  { table = 'dalga', locking = true } = {},
): Promise<DurableState> {
  await connection.query('START TRANSACTION');
  const [rows] = await connection.query({
    sql: `SELECT epoch, renewals, watermark, exceptions FROM ${table}_state WHERE partition_id = 0 ${locking ? 'FOR UPDATE' : ''}`,
    rowsAsArray: true,
  });
  await connection.query('ROLLBACK');
  const [epoch, renewals, watermark, bytes] = (rows as unknown as [number, number, number, Buffer][])[0]!;
  const { ids, times } = decodeExceptions(bytes);
  return {
    ...{ epoch, renewals, watermark },
    exceptions: new Set(Array.from(ids, (id, index) => `${id.toString(36)}.${times[index]!.toString(36)}`)),
  };
}

/** The end of an owner, and what the next one began with. */
export type Crash = {
  /** Unix ms: the next owner sent nothing before. */
  readonly at: number;
  /** Unix ms: the one before sent nothing after. */
  readonly goneAt: number;
  readonly durable: DurableState;
};

/** The repetitions that no crash explains: what came again was settled durably at each since it was due. */
export function needless(arrivals: readonly Arrival[], crashes: readonly Crash[]): Arrival[] {
  const isOwed = ({ messageId, scheduledAt, arrivedAt }: Arrival, { at, goneAt, durable }: Crash) =>
    scheduledAt <= goneAt &&
    arrivedAt >= at &&
    (scheduledAt >= durable.watermark || durable.exceptions.has(messageId.replace(/^[^.]*\./, '')));
  return repetitions(arrivals)
    .map(({ arrival }) => arrival)
    .filter((arrival) => !crashes.some((crash) => isOwed(arrival, crash)));
}
