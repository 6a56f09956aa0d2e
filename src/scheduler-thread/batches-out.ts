/**
 * The batches that publishers have: which flight stands at which position, until each has its outcome. An outcome
 * can come twice, in the batch's answer and in a report, and in either order: the first one counts.
 */
export class BatchesOut {
  readonly #batches = new Map<number, Batch>();

  /** The batch goes out with these flights, one at each position. */
  add(number: number, flights: readonly number[]): void {
    this.#batches.set(number, { flights: [...flights], open: flights.length, threadId: -1 });
  }

  /** The thread has answered: it tells the end of what it left pending, or loses it. */
  answered(number: number, threadId: number): void {
    const batch = this.#batches.get(number);
    if (batch !== undefined) batch.threadId = threadId;
  }

  /** Takes the flight at a position out; -1 when its outcome has come already. */
  take(number: number, position: number): number {
    const batch = this.#batches.get(number);
    const flight = batch?.flights[position] ?? -1;
    if (batch === undefined || flight === -1) return -1;
    batch.flights[position] = -1;
    if (--batch.open === 0) this.#batches.delete(number);
    return flight;
  }

  /** The batches of which a thread has answered and not told all. */
  of(threadId: number): { number: number; size: number }[] {
    return [...this.#batches]
      .filter(([, batch]) => batch.threadId === threadId)
      .map(([number, { flights }]) => ({ number, size: flights.length }));
  }
}

type Batch = { readonly flights: number[]; open: number; threadId: number };
