import type { ChannelModel } from 'amqplib';
import { Outcome } from '../protocol/scheduler-publisher.ts';
import { backoff } from './backoff.ts';
import { textOf } from './connection-error.ts';
import { within } from './deadline.ts';
import { checkExchange, isRefusal, METHOD_DEADLINE, probeExchange } from './exchange-check.ts';
import { type Isolation, isolate } from './poison.ts';
import { type ChannelEnd, PublishChannel, type Written } from './publish-channel.ts';

/** ms */
const FIRST_PROBE = 100;
const LAST_PROBE = 10_000;
/**
 * Pieces that a channel takes before it asks to wait (about twice as many, as amqplib counts), a message's or those of some
 * eighty: a turn's, so that the socket's buffer is what limits it. Of Dalga's pieces it is 8 MiB at most while the broker reads
 * nothing, of large bodies, which come a frame of up to 128 KiB in each, 64 MiB.
 */
const CHANNEL_BUFFER = 256;

export type ExchangeLinkOptions = {
  readonly exchange: string;
  readonly connection: () => ChannelModel | null;
  readonly onChanged: (usable: boolean, reason: string | null) => void;
  /** One of these closed the channel: until each is judged they are to come by `quarantine`. */
  readonly onSuspected: (suspects: readonly Written[]) => void;
  readonly onJudged: Isolation['onJudged'];
  readonly trustedUntil: Isolation['trustedUntil'];
  readonly isCulprit: Isolation['isCulprit'];
};

/**
 * One exchange, as this thread sees it:
 *
 *   closed -> opening     a batch asks for its channel
 *   opening -> open       the exchange is there
 *   opening -> unusable   the broker says 404 (no such exchange) or 403 (no permission)
 *   opening -> closed     the connection went, or the broker did not answer in time
 *   open -> closed        the connection went, or nothing was published for long
 *   open -> unusable      the broker closed the channel with 404 or 403: what was unconfirmed is lost
 *   open -> closed        the broker closed the channel for another reason: one of the messages is poison, and
 *                         it is looked for on other channels while new batches open a new one here
 *   unusable -> closed    a probe passed; they are made with growing intervals
 */
export class ExchangeLink {
  readonly #options: ExchangeLinkOptions;
  #channel: PublishChannel | null = null;
  #opening: Promise<PublishChannel | null> | null = null;
  /** Why it cannot be published to; null while it can. */
  #fault: string | null = null;
  #probes = 0;
  #timer: NodeJS.Timeout | null = null;
  #held = false;
  #stopped = false;
  /** Suspects that wait for their trial. */
  #suspects: Written[] = [];
  #trying = false;

  constructor(options: ExchangeLinkOptions) {
    this.#options = options;
  }

  /** Monotonic ms of the last use, when it could be closed now; else null. */
  get idleSince(): number | null {
    if (this.#fault !== null || this.#opening !== null) return null;
    if (this.#channel === null) return 0;
    return this.#channel.idle ? this.#channel.usedAt : null;
  }

  /** The broker has refused it, and no probe has passed since. */
  get isUnusable(): boolean {
    return this.#fault !== null;
  }

  /** The exchange's channel, or null when it is unusable or there is no connection. */
  channel(): Promise<PublishChannel | null> | PublishChannel | null {
    if (this.#channel !== null) return this.#channel;
    if (this.#fault !== null || this.#stopped) return null;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  /** The connection is there (again). */
  connected(): void {
    this.#held = false;
    if (this.#fault === null) return;
    // What this thread said of its exchanges is forgotten with its connection.
    this.#options.onChanged(false, this.#fault);
    this.#probeIn(0);
  }

  hold(held: boolean): void {
    this.#held = held;
    this.#channel?.hold(held);
  }

  /**
   * Sends a message apart from the others, since it may be, or is, one that closes channels. Its outcome comes as any
   * other's. Suspects never meet the channel of the others again: a culprit that is sent each second, say, would
   * close it again and again before it is found.
   */
  quarantine(written: Written): void {
    this.#suspects.push(written);
    if (!this.#trying) void this.#trySuspects();
  }

  close(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#channel?.close();
  }

  async #open(): Promise<PublishChannel | null> {
    const { exchange } = this.#options;
    const connection = this.#options.connection();
    if (connection === null) return null;
    try {
      if (exchange !== '') await checkExchange(connection, exchange);
      const channel = await this.#openChannel();
      if (channel === null) return null;
      if (this.#stopped) {
        channel.close();
        return null;
      }
      this.#channel = channel;
      void channel.ended.then((end) => this.#ended(channel, end));
      return channel;
    } catch (error) {
      if (isRefusal(error)) this.#refuse(error);
      return null;
    }
  }

  async #openChannel(): Promise<PublishChannel | null> {
    const connection = this.#options.connection();
    if (connection === null) return null;
    const options = { highWaterMark: CHANNEL_BUFFER };
    const opening = connection.createConfirmChannel(options).then((channel) => new PublishChannel(channel));
    const channel = await within(METHOD_DEADLINE, 'opening a channel', opening, (late) => late.close());
    channel.hold(this.#held);
    return channel;
  }

  #ended(channel: PublishChannel, { error, unconfirmed }: ChannelEnd): void {
    this.#channel = null;
    if (error === null || isRefusal(error)) {
      for (const { run, position } of unconfirmed) run.settle(position, Outcome.lost);
      if (error === null) return;
      if (channel.confirmedAny) this.#probes = 0;
      this.#refuse(error);
      return;
    }
    this.#options.onSuspected(unconfirmed);
    for (const suspect of unconfirmed) this.quarantine(suspect);
  }

  /** One trial after another, each of all that wait by then. */
  async #trySuspects(): Promise<void> {
    const { onJudged, trustedUntil, isCulprit } = this.#options;
    const open = (): Promise<PublishChannel | null> => this.#openChannel().catch(() => null);
    const isolation = { open, onJudged, trustedUntil, isCulprit };
    this.#trying = true;
    while (this.#suspects.length > 0) {
      // What is written in the same turn of the event loop comes along.
      await new Promise((resolve) => setImmediate(resolve));
      const suspects = this.#suspects;
      this.#suspects = [];
      const known = new Set(suspects.filter(isCulprit));
      for (const culprit of known) await isolate([culprit], isolation);
      await isolate(
        suspects.filter((written) => !known.has(written)),
        isolation,
      );
    }
    this.#trying = false;
  }

  #refuse(error: Error): void {
    if (this.#stopped) return;
    if (this.#fault === null) {
      this.#fault = textOf(error.message);
      this.#options.onChanged(false, this.#fault);
    }
    this.#probeIn(backoff(this.#probes++, FIRST_PROBE, LAST_PROBE));
  }

  #probeIn(delay: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#probe(), delay);
  }

  async #probe(): Promise<void> {
    const connection = this.#options.connection();
    // Without one, `connected` goes on.
    if (connection === null || this.#stopped) return;
    let error: unknown;
    try {
      error = await probeExchange(connection, this.#options.exchange);
    } catch (cause) {
      error = cause;
    }
    if (this.#stopped) return;
    if (error === null) {
      this.#fault = null;
      this.#options.onChanged(true, null);
    } else if (this.#options.connection() === connection) {
      this.#probeIn(backoff(this.#probes++, FIRST_PROBE, LAST_PROBE));
    }
  }
}
