import type { PublishBatch } from './scheduler-publisher.ts';

/** The arrays of a batch. */
export type BatchColumns = Pick<
  PublishBatch,
  'ids' | 'times' | 'missed' | 'expirations' | 'routeOf' | 'bodyOffsets' | 'bodies'
>;

/**
 * The arrays of a batch of `count` messages whose bodies have so many bytes in all, one after another in one buffer:
 *
 *   ids | times | missed | expirations | routeOf | bodyOffsets (count + 1) | bodies
 */
export function allocateColumns(count: number, bodyBytes: number): BatchColumns {
  const doubles = 8 * count;
  const words = 4 * count;
  const buffer = new ArrayBuffer(4 * doubles + 2 * words + 4 + bodyBytes);
  return {
    ids: new Float64Array(buffer, 0, count),
    times: new Float64Array(buffer, doubles, count),
    missed: new Float64Array(buffer, 2 * doubles, count),
    expirations: new Float64Array(buffer, 3 * doubles, count),
    routeOf: new Uint32Array(buffer, 4 * doubles, count),
    bodyOffsets: new Uint32Array(buffer, 4 * doubles + words, count + 1),
    bodies: new Uint8Array(buffer, 4 * doubles + 2 * words + 4, bodyBytes),
  };
}
