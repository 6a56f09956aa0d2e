/** The oldest is forgotten beyond these. */
const CULPRITS_LIMIT = 1000;
const SUSPECTS_LIMIT = 100_000;

/**
 * The jobs (by id) whose messages close channels, and those of whose one does:
 *
 *   (none)  -> suspect   unconfirmed on a channel that the broker closed for some message
 *   suspect -> culprit   the broker closed a channel for it alone
 *   suspect -> (none)    the broker let it pass
 *   culprit -> (none)    likewise: the right is there now, say
 */
export class Suspicions {
  readonly #culprits = new Set<number>();
  readonly #suspects = new Set<number>();

  has(id: number): boolean {
    return (
      (this.#suspects.size > 0 && this.#suspects.has(id)) ||
      (this.#culprits.size > 0 && this.#culprits.has(id))
    );
  }

  isCulprit(id: number): boolean {
    return this.#culprits.has(id);
  }

  suspect(id: number): void {
    if (!this.#culprits.has(id)) add(this.#suspects, id, SUSPECTS_LIMIT);
  }

  judge(id: number, guilty: boolean): void {
    this.#suspects.delete(id);
    if (guilty) add(this.#culprits, id, CULPRITS_LIMIT);
    else this.#culprits.delete(id);
  }

  /** A job that is never sent again is never judged: with a new connection suspicion begins anew. */
  forgetSuspects(): void {
    this.#suspects.clear();
  }
}

function add(ids: Set<number>, id: number, limit: number): void {
  ids.add(id);
  if (ids.size <= limit) return;
  for (const oldest of ids) {
    ids.delete(oldest);
    return;
  }
}
