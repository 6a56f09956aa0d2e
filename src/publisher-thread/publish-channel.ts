import type { Writable } from 'node:stream';
import { type ConfirmChannel, IllegalOperationError, type Message } from 'amqplib';
import { monotonicNow } from '../clock.ts';
import { parseMessageId } from '../protocol/message-id.ts';
import { Outcome, type PublishBatch } from '../protocol/scheduler-publisher.ts';
import type { Sending } from './batch-run.ts';
import { ConfirmWindow } from './confirm-window.ts';
import { within } from './deadline.ts';
import { propertiesOf } from './message.ts';
import { PublishFrames } from './publish-frames.ts';

/** A message that was written: its batch and its position there. */
export type Written = { readonly run: Sending; readonly position: number };

/** Why a channel closed: `error` is the broker's reason (with its `code`), null when the connection went. */
export type ChannelEnd = { readonly error: Error | null; readonly unconfirmed: readonly Written[] };

/**
 * A confirm channel and what is unconfirmed on it. Batches write in turns of some messages, so that they
 * interleave and the confirms are read in between; no one has a turn while the broker holds us back.
 */
export class PublishChannel {
  readonly #channel: ConfirmChannel;
  readonly #frames: PublishFrames | null;
  readonly #window = new ConfirmWindow<Sending>();
  readonly #waiting: ((turn: boolean) => void)[] = [];
  readonly #ended: Promise<ChannelEnd>;
  #end!: (end: ChannelEnd) => void;
  #full = false;
  #held = false;
  /** Closed, or about to be. */
  #closing = false;
  #turnComing = false;
  #onEmpty: (() => void) | null = null;
  /** Monotonic ms of the last write. */
  usedAt = monotonicNow();
  /** The broker has taken something. */
  confirmedAny = false;

  constructor(channel: ConfirmChannel) {
    this.#channel = channel;
    this.#frames = framesFor(channel, (room) => {
      if (!room) this.#full = true;
    });
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    let error: Error | null = null;
    channel.on('error', (cause) => {
      error = cause;
    });
    channel.on('close', () => this.#close(error));
    channel.on('drain', () => {
      this.#full = false;
      this.#giveTurns();
    });
    channel.on('return', (message) => this.#noteReturned(message));
    channel.on('ack', ({ deliveryTag, multiple }) => this.#confirm(deliveryTag, multiple, true));
    channel.on('nack', ({ deliveryTag, multiple }) => this.#confirm(deliveryTag, multiple, false));
  }

  /** Resolves when the channel has closed. Whoever opened it says what becomes of the unconfirmed. */
  get ended(): Promise<ChannelEnd> {
    return this.#ended;
  }

  get idle(): boolean {
    return this.#window.size === 0 && this.#waiting.length === 0;
  }

  /** While held nobody gets a turn: the broker has blocked the connection. */
  hold(held: boolean): void {
    this.#held = held;
    this.#giveTurns();
  }

  /**
   * Resolves with true when it is the caller's turn to write some messages, with false when the channel has
   * closed or the turn does not come by the deadline (monotonic ms).
   */
  async turn(deadline: number): Promise<boolean> {
    if (this.#closing) return false;
    if (!this.#full && !this.#held && this.#waiting.length === 0 && !this.#turnComing) return true;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(settle), 1);
        resolve(false);
      }, deadline - monotonicNow());
      const settle = (turn: boolean): void => {
        clearTimeout(timer);
        resolve(turn);
      };
      this.#waiting.push(settle);
      this.#giveTurns();
    });
  }

  /**
   * Writes one message in the caller's turn, at the end of which `flush` is to be called; `now` is monotonic, ms. Returns
   * false when the turn is over.
   */
  publish(run: Sending, position: number, now: number): boolean {
    this.usedAt = now;
    const { batch } = run;
    const body = run.body(position);
    try {
      if (this.#closing) throw new IllegalOperationError('the channel is closed');
      if (this.#frames !== null && PublishFrames.fit(batch, position, body)) {
        this.#frames.add(batch, position, body);
      } else {
        this.#publishByAmqplib(batch, position, body);
      }
    } catch (error) {
      // What cannot be encoded no other channel or time will make better.
      const closing = error instanceof IllegalOperationError;
      run.takeBack(position, closing ? Outcome.unsent : Outcome.nacked);
      return !closing;
    }
    this.#window.push(run, position);
    return !this.#full;
  }

  /** Hands over what was written: the end of a turn. */
  flush(): void {
    // Nobody takes it any more, and it is unconfirmed already.
    if (!this.#closing) this.#frames?.flush();
  }

  /** Resolves when nothing is unconfirmed, or the channel has closed. */
  emptied(): Promise<void> {
    if (this.#window.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  /**
   * Resolves with true once the broker has looked at all that was written and closed the channel for none of it,
   * with false when it did, or does not answer within `patience` ms. It takes the methods of a channel in their
   * order, so that the answer to one comes after it has seen all messages before; their confirms may come later.
   */
  async passed(patience: number): Promise<boolean> {
    try {
      await within(patience, 'a look at what was sent again', this.#channel.prefetch(0));
      return true;
    } catch {
      return false;
    }
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    try {
      this.#channel.close().catch(() => {});
    } catch {
      // It is closing already.
    }
  }

  #publishByAmqplib(batch: PublishBatch, position: number, body: Buffer): void {
    const { exchange, routingKey } = batch.routes[batch.routeOf[position]!]!;
    // In the order in which they came: the broker counts them.
    this.flush();
    if (!this.#channel.publish(exchange, routingKey, body, propertiesOf(batch, position))) this.#full = true;
  }

  #confirm(tag: number, multiple: boolean, taken: boolean): void {
    this.confirmedAny ||= taken;
    this.#window.confirm(tag, multiple, (run, position, returned) => {
      run.settle(position, taken ? (returned ? Outcome.returned : Outcome.confirmed) : Outcome.nacked);
    });
    if (this.#window.size === 0) this.#onEmpty?.();
  }

  /** The broker gives a message back before it confirms it. */
  #noteReturned(message: Message): void {
    const { id, time, span } = parseMessageId(String(message.properties.messageId));
    this.#window.markReturned(
      ({ batch: { ids, times, spans } }, position) =>
        ids[position] === id && times[position] === time && (spans?.ids[position] ?? 0) === span,
    );
  }

  /** One turn for each turn of the event loop: in between the socket is read and written. */
  #giveTurns(): void {
    if (this.#turnComing || this.#full || this.#held || this.#waiting.length === 0) return;
    this.#turnComing = true;
    setImmediate(() => {
      this.#turnComing = false;
      if (this.#full || this.#held) return;
      this.#waiting.shift()?.(true);
      this.#giveTurns();
    });
  }

  #close(error: Error | null): void {
    this.#closing = true;
    const unconfirmed: Written[] = [];
    this.#window.drain((run, position, returned) => {
      if (returned) run.settle(position, Outcome.returned);
      else unconfirmed.push({ run, position });
    });
    for (const settle of this.#waiting.splice(0)) settle(false);
    this.#onEmpty?.();
    this.#end({ error, unconfirmed });
  }
}

type Inside = {
  readonly ch: number;
  readonly connection?: { readonly channels?: readonly ({ readonly buffer?: Writable } | null)[] };
};

/** amqplib's types do not tell of a channel's buffer; without one amqplib is to encode all itself. */
function framesFor(channel: ConfirmChannel, onWritten: (room: boolean) => void): PublishFrames | null {
  const { ch, connection } = channel as unknown as Inside;
  const buffer = connection?.channels?.[ch]?.buffer;
  if (buffer === undefined) return null;
  return new PublishFrames(ch, (frames) => onWritten(buffer.write(frames)));
}
