/**
 * The account of what jobs take in the scheduler's memory, beside the bytes of their names: the row over the arena's
 * columns (57), the entry in the queue (16), and that in the index of ids (4, at two thirds of its room). The scheduler
 * counts what there is, and main what a change will add.
 */
export const SLOT_BYTES = 80;

/** What a job whose name has so many bytes takes, about. */
export function jobBytes(nameBytes: number): number {
  return SLOT_BYTES + Math.ceil(nameBytes / 16) * 16;
}
