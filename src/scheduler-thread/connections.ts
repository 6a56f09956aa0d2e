/** Which publisher threads are connected to RabbitMQ, and how often a lost connection was made again. */
export class Connections {
  readonly #threads = new Set<number>();
  #lost = 0;
  #reconnects = 0;

  get size(): number {
    return this.#threads.size;
  }

  /** A thread that was lost comes back under another id, so the two are told apart by number alone. */
  get reconnects(): number {
    return this.#reconnects;
  }

  add(threadId: number): void {
    if (this.#threads.has(threadId)) return;
    this.#threads.add(threadId);
    if (this.#reconnects < this.#lost) this.#reconnects++;
  }

  delete(threadId: number): void {
    if (this.#threads.delete(threadId)) this.#lost++;
  }
}
