/** How many of the latest stay though nobody holds them. */
const RECENT = 1024;

/**
 * What is made from a text is made once for as long as somebody holds it, so that 100,000 jobs with the same cron
 * expression share one. Those asked for last are kept in any case: most callers hold nothing between two questions.
 */
export class SharedCache<T extends object> {
  readonly #entries = new Map<string, WeakRef<T>>();
  readonly #collected = new FinalizationRegistry<string>((key) => {
    // By now the key may have been made anew.
    if (this.#entries.get(key)?.deref() === undefined) this.#entries.delete(key);
  });
  readonly #recent: T[] = [];
  #position = 0;

  /** @param make may throw: then nothing is kept */
  get(key: string, make: () => T): T {
    const known = this.#entries.get(key)?.deref();
    if (known !== undefined) return known;
    const made = make();
    this.#entries.set(key, new WeakRef(made));
    this.#collected.register(made, key);
    this.#recent[this.#position] = made;
    this.#position = (this.#position + 1) % RECENT;
    return made;
  }
}
