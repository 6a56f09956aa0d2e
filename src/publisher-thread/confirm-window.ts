/**
 * What a channel has written and the broker has not confirmed, by delivery tag. Tags count up from 1 with each
 * message; confirms come roughly in order, singly or for all up to a tag.
 *
 *        low                    next
 *         |                      |
 *   . . . A B - D E F - H  . . . .        a ring over arrays; "-" is confirmed already
 *
 * `low` is the first unconfirmed tag. Nothing is allocated for a message.
 */
export class ConfirmWindow<Owner> {
  #owners: (Owner | null)[];
  #positions: Uint32Array;
  #returned: Uint8Array;
  #low = 1;
  #next = 1;
  #open = 0;
  /** Where the search for the next returned message begins. */
  #cursor = 1;

  constructor(capacity = 1024) {
    this.#owners = new Array(capacity).fill(null);
    this.#positions = new Uint32Array(capacity);
    this.#returned = new Uint8Array(capacity);
  }

  /** Messages not confirmed. */
  get size(): number {
    return this.#open;
  }

  /** Takes in the message that was just written: the channel's next tag. */
  push(owner: Owner, position: number): void {
    if (this.#next - this.#low === this.#owners.length) this.#grow();
    const place = this.#next++ & (this.#owners.length - 1);
    this.#owners[place] = owner;
    this.#positions[place] = position;
    this.#returned[place] = 0;
    this.#open++;
  }

  /** A confirm of `tag`, or of all up to it. */
  confirm(
    tag: number,
    multiple: boolean,
    settle: (owner: Owner, position: number, returned: boolean) => void,
  ): void {
    if (tag >= this.#next) return;
    for (let each = multiple ? this.#low : tag; each <= tag; each++) this.#take(each, settle);
    while (this.#low < this.#next && this.#owners[this.#low & (this.#owners.length - 1)] === null)
      this.#low++;
  }

  /**
   * Marks the first message, in the order of writing, that `matches` and was not marked yet. The broker returns
   * messages in the order in which they were written, so the search goes on where the last one was found: all
   * returns together cost no more than one look at each message.
   */
  markReturned(matches: (owner: Owner, position: number) => boolean): boolean {
    const begin = Math.max(this.#cursor, this.#low);
    return this.#markBetween(begin, this.#next, matches) || this.#markBetween(this.#low, begin, matches);
  }

  /** Empties the window: what will never be confirmed, in the order of writing. */
  drain(settle: (owner: Owner, position: number, returned: boolean) => void): void {
    for (let tag = this.#low; tag < this.#next; tag++) this.#take(tag, settle);
    this.#low = this.#next;
  }

  #take(tag: number, settle: (owner: Owner, position: number, returned: boolean) => void): void {
    if (tag < this.#low) return;
    const place = tag & (this.#owners.length - 1);
    const owner = this.#owners[place];
    if (owner === null || owner === undefined) return;
    this.#owners[place] = null;
    this.#open--;
    settle(owner, this.#positions[place]!, this.#returned[place] === 1);
  }

  #markBetween(from: number, to: number, matches: (owner: Owner, position: number) => boolean): boolean {
    for (let tag = from; tag < to; tag++) {
      const place = tag & (this.#owners.length - 1);
      const owner = this.#owners[place];
      if (owner === null || owner === undefined || this.#returned[place] === 1) continue;
      if (!matches(owner, this.#positions[place]!)) continue;
      this.#returned[place] = 1;
      this.#cursor = tag + 1;
      return true;
    }
    return false;
  }

  #grow(): void {
    const old = this.#owners.length;
    const owners = new Array<Owner | null>(old * 2).fill(null);
    const positions = new Uint32Array(old * 2);
    const returned = new Uint8Array(old * 2);
    for (let tag = this.#low; tag < this.#next; tag++) {
      const from = tag & (old - 1);
      const to = tag & (old * 2 - 1);
      owners[to] = this.#owners[from] ?? null;
      positions[to] = this.#positions[from]!;
      returned[to] = this.#returned[from]!;
    }
    this.#owners = owners;
    this.#positions = positions;
    this.#returned = returned;
  }
}
