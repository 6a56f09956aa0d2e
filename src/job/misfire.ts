/**
 * What a job's turn runs. Missed is not late: an occurrence is missed when its turn comes more than
 * `misfireAfter` after its time (or the interval, if that is shorter); a younger one just runs. Under
 * misfire=once one run stands for all that was missed: it carries the latest scheduled time that is due, and
 * those before it are superseded. Phases are kept, and a turn costs the same however long the gap was.
 */
export type Turn = {
  /** The scheduled time of this run, Unix ms. */
  time: number;
  /** How many scheduled times were missed and are represented by this run; 0 for an ordinary one. */
  missed: number;
  /** The job's next scheduled time; Infinity when there is none. */
  next: number;
};

/**
 * Decides a turn into `turn` (reused, since this runs for every message).
 *
 * @param due the scheduled time whose turn it is, `due <= now`, Unix ms
 * @param intervalMs 0 for a one-off
 * @param misfireAfter ms
 */
export function decideTurn(
  turn: Turn,
  due: number,
  intervalMs: number,
  now: number,
  misfireAfter: number,
): Turn {
  if (intervalMs === 0) {
    turn.time = due;
    turn.missed = now - due > misfireAfter ? 1 : 0;
    turn.next = Number.POSITIVE_INFINITY;
    return turn;
  }
  const behind = now - due < intervalMs ? 0 : Math.floor((now - due) / intervalMs);
  const latest = due + behind * intervalMs;
  turn.time = latest;
  turn.missed = behind + (now - latest > Math.min(misfireAfter, intervalMs) ? 1 : 0);
  turn.next = latest + intervalMs;
  return turn;
}
