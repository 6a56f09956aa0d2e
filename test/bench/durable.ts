import { setTimeout as delay } from 'node:timers/promises';
import { decodeExceptions } from '../../src/job/exceptions.ts';
import type { BenchDatabase } from './database.ts';

/** What a durable end is exact to, ms. */
const POLL = 100;

/**
 * Resolves, with the time (Unix ms), when the durable watermark is past `time` (Unix ms) and lists nothing before it
 * as unsettled: every message until then is confirmed, and no crash can bring it again.
 *
 * @param patience ms
 */
export async function durablePast(
  database: BenchDatabase,
  time: number,
  patience: number,
  stillRunning: Promise<unknown>,
): Promise<number> {
  const connection = await database.connect();
  let ended = false;
  void stillRunning.then(() => {
    ended = true;
  });
  const until = Date.now() + patience;
  try {
    while (Date.now() < until && !ended) {
      const [rows] = await connection.query({
        // The list may have ten thousand entries: it is read only when it matters.
        sql: "SELECT watermark, IF(watermark > ?, exceptions, '') FROM dalga_state WHERE partition_id = 0",
        values: [time],
        rowsAsArray: true,
      });
      const [watermark, exceptions] = (rows as unknown as [number, Buffer][])[0]!;
      const now = Date.now();
      if (watermark > time && decodeExceptions(exceptions).times.every((listed) => listed > time)) return now;
      await delay(POLL);
    }
  } finally {
    await connection.end();
  }
  throw new Error(ended ? 'Dalga ended before all was durable' : `not all was durable within ${patience} ms`);
}
