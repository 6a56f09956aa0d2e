/** Which publisher threads can publish, and how often a lost connection to RabbitMQ was made again. */
export class Connections {
  readonly #threads = new Set<number>();
  /** Connected, but the broker reads nothing from them now. */
  readonly #blocked = new Set<number>();
  #lost = 0;
  #reconnects = 0;

  /** Those that can publish now. */
  get size(): number {
    return this.#threads.size;
  }

  /** Whether it can publish now. */
  has(threadId: number): boolean {
    return this.#threads.has(threadId);
  }

  /** A thread that was lost comes back under another id, so the two are told apart by number alone. */
  get reconnects(): number {
    return this.#reconnects;
  }

  /** It can publish (again). */
  add(threadId: number): void {
    if (this.#threads.has(threadId)) return;
    this.#threads.add(threadId);
    if (!this.#blocked.delete(threadId) && this.#reconnects < this.#lost) this.#reconnects++;
  }

  block(threadId: number): void {
    if (this.#threads.delete(threadId)) this.#blocked.add(threadId);
  }

  delete(threadId: number): void {
    if (this.#threads.delete(threadId) || this.#blocked.delete(threadId)) this.#lost++;
  }
}
