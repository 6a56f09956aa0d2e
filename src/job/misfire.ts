/**
 * What a job's turn runs. Missed is not late: an occurrence is missed when its turn comes more than
 * `misfireAfter` after its time (or the interval, if that is shorter); a younger one just runs. Under
 * misfire=once one run stands for all that was missed: it carries the latest scheduled time that is due, and
 * those before it are superseded. Phases are kept, and a turn costs the same however long the gap was.
 */
export type Turn = {
  /** The scheduled time of this run, Unix ms. */
  time: number;
  /** How many earlier scheduled times this run stands for. */
  behind: number;
  /** The job's next scheduled time; Infinity when there is none. */
  next: number;
};

/**
 * Decides a turn into `turn` (reused, since this runs for every message).
 *
 * @param due the scheduled time whose turn it is, `due <= now`, Unix ms
 * @param intervalMs 0 for a one-off
 */
export function decideTurn(turn: Turn, due: number, intervalMs: number, now: number): void {
  if (intervalMs === 0) {
    turn.time = due;
    turn.behind = 0;
    turn.next = Number.POSITIVE_INFINITY;
    return;
  }
  turn.behind = now - due < intervalMs ? 0 : Math.floor((now - due) / intervalMs);
  turn.time = due + turn.behind * intervalMs;
  turn.next = turn.time + intervalMs;
}

/**
 * How many missed times a run stands for, as x-dalga-missed tells it: the earlier ones that it supersedes, and
 * its own when it is sent later than `misfireAfter` (ms). 0 for an ordinary run.
 */
export function countMissed(
  time: number,
  behind: number,
  intervalMs: number,
  now: number,
  misfireAfter: number,
): number {
  const patience = intervalMs === 0 ? misfireAfter : Math.min(misfireAfter, intervalMs);
  return behind + (now - time > patience ? 1 : 0);
}
