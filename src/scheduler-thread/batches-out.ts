/**
 * The batches that publishers have: which message (a flight, say) stands at which position, until each has its outcome. An outcome
 * can come twice, in the batch's answer and in a report, and in either order: the first one counts.
 */
export class BatchesOut<Message> {
  readonly #none: Message;
  readonly #batches = new Map<number, Batch<Message>>();

  /** @param none what is no message */
  constructor(none: Message) {
    this.#none = none;
  }

  /** The batch goes out with these messages, one at each position. */
  add(number: number, messages: readonly Message[]): void {
    this.#batches.set(number, { messages: [...messages], open: messages.length, threadId: -1 });
  }

  /** The thread has answered: it tells the end of what it left pending, or loses it. */
  answered(number: number, threadId: number): void {
    const batch = this.#batches.get(number);
    if (batch !== undefined) batch.threadId = threadId;
  }

  /** Takes the message at a position out; none when its outcome has come already. */
  take(number: number, position: number): Message {
    const batch = this.#batches.get(number);
    const message = batch?.messages[position] ?? this.#none;
    if (batch === undefined || message === this.#none) return this.#none;
    batch.messages[position] = this.#none;
    if (--batch.open === 0) this.#batches.delete(number);
    return message;
  }

  /** The batches of which a thread has answered and not told all. */
  of(threadId: number): { number: number; size: number }[] {
    return [...this.#batches]
      .filter(([, batch]) => batch.threadId === threadId)
      .map(([number, { messages }]) => ({ number, size: messages.length }));
  }
}

type Batch<Message> = { readonly messages: Message[]; open: number; threadId: number };
