import { encodeExceptions } from '../../src/job/exceptions.ts';

/** A list as it stands in the state row. */
export function listed(
  entries: readonly (readonly [id: number, time: number, behind?: number])[],
): Uint8Array {
  return encodeExceptions({
    ids: Float64Array.from(entries, ([id]) => id),
    times: Float64Array.from(entries, ([, time]) => time),
    behind: Float64Array.from(entries, ([, , behind]) => behind ?? 0),
    caughtUp: null,
  });
}
