import type { ChannelModel } from 'amqplib';
import { monotonicNow } from '../clock.ts';
import type { RabbitmqConfig } from '../config.ts';
import type { PublisherReport } from '../protocol/scheduler-publisher.ts';
import { backoff } from './backoff.ts';
import { abandonConnection, closeConnection, openConnection } from './connect.ts';
import { explainConnectionError } from './connection-error.ts';
import { ExchangeLink } from './exchange-link.ts';
import type { PublishChannel, Written } from './publish-channel.ts';
import { Suspicions } from './suspicions.ts';

/** ms */
const FIRST_RECONNECT = 100;
const LAST_RECONNECT = 5000;
/** How long a batch waits for a connection, ms: a thread without one must not answer faster than one that works. */
const CONNECTION_PATIENCE = 1000;
/** Channels that one connection may have; RabbitMQ's default limit is 2047. */
const EXCHANGES_LIMIT = 256;
/** ms */
const IDLE_LIMIT = 600_000;
const SWEEP_INTERVAL = 60_000;

export type BrokerOptions = {
  readonly config: RabbitmqConfig;
  /** What the broker's management shows. */
  readonly name: string;
  readonly threadId: number;
  readonly report: (report: PublisherReport) => void;
};

/**
 * The one connection of a publisher thread, and its exchanges. It reconnects for ever, and nothing that the
 * broker does throws out of here. amqplib's own recovery is not used: it has no deadline for a connection, and
 * what was unconfirmed must be settled before the next one is used.
 */
export class Broker {
  readonly #options: BrokerOptions;
  readonly #links = new Map<string, ExchangeLink>();
  /** Monotonic ms. */
  #trustedUntil = 0;
  readonly #suspicions = new Suspicions();
  readonly #waiting = new Set<() => void>();
  #connection: ChannelModel | null = null;
  #reason: string | null = '';
  #failures = 0;
  #closed = false;
  #timer: NodeJS.Timeout | null = null;
  readonly #sweeper: NodeJS.Timeout;

  constructor(options: BrokerOptions) {
    this.#options = options;
    this.#sweeper = setInterval(() => this.#sweep(monotonicNow() - IDLE_LIMIT), SWEEP_INTERVAL).unref();
    void this.#connect();
  }

  /**
   * The channel of an exchange. Null when the exchange is unusable, or there is no connection, for which it waits
   * a second, at most until the deadline (monotonic ms).
   */
  async channel(exchange: string, deadline: number): Promise<PublishChannel | null> {
    if (this.#connection === null) {
      await this.#connected(Math.min(deadline - monotonicNow(), CONNECTION_PATIENCE));
    }
    return this.#link(exchange)?.channel() ?? null;
  }

  /** A batch has come, with the time (monotonic ms) until which its owner may trust its lease. */
  trust(until: number): void {
    this.#trustedUntil = Math.max(this.#trustedUntil, until);
  }

  /** Monotonic ms: that of the batch that came last. */
  get trustedUntil(): number {
    return this.#trustedUntil;
  }

  /** Whether there is a connection, and yet nothing can be published to the exchange over it. */
  refuses(exchange: string): boolean {
    return this.#connection !== null && (this.#link(exchange)?.isUnusable ?? true);
  }

  /** Whether messages of this job close channels, or may: those are to go by `quarantine`. */
  isSuspect(id: number): boolean {
    return this.#suspicions.has(id);
  }

  quarantine(exchange: string, written: Written): void {
    this.#link(exchange)?.quarantine(written);
  }

  /** Closes the connection, for less than a second; what is unconfirmed then is lost. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweeper);
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const link of this.#links.values()) link.close();
    this.#wake();
    if (this.#connection !== null) await closeConnection(this.#connection);
  }

  async #connect(): Promise<void> {
    const { config, name } = this.#options;
    try {
      const connection = await openConnection(config, name);
      this.#adopt(connection);
      if (this.#closed) await closeConnection(connection);
    } catch (error) {
      this.#down(error);
    }
  }

  #adopt(connection: ChannelModel): void {
    let error: unknown;
    connection.on('error', (cause) => {
      error = cause;
    });
    connection.on('close', (cause) => {
      this.#connection = null;
      abandonConnection(connection);
      this.#down(error ?? cause);
    });
    connection.on('blocked', (cause) => this.#block(cause));
    connection.on('unblocked', () => {
      for (const link of this.#links.values()) link.hold(false);
      this.#changed(null, false);
    });
    if (this.#closed) return;
    this.#connection = connection;
    this.#failures = 0;
    this.#suspicions.forgetSuspects();
    for (const link of this.#links.values()) link.connected();
    // The usual exchange is looked at, and its channel opened, before the first message needs it.
    const { exchange, unroutable } = this.#options.config;
    void this.#link(exchange)?.channel();
    if (unroutable?.kind === 'exchange') void this.#link(unroutable.name)?.channel();
    this.#changed(null, false);
    this.#wake();
  }

  /** The broker is short of memory or disk, and reads nothing more from us. */
  #block(cause: string): void {
    const { host, port } = this.#options.config;
    for (const link of this.#links.values()) link.hold(true);
    this.#changed(`RabbitMQ at ${host}:${port} takes no messages now: ${cause}`, true);
  }

  #down(error: unknown): void {
    if (this.#closed) return;
    this.#changed(explainConnectionError(error, this.#options.config).reason, false);
    const delay = backoff(this.#failures++, FIRST_RECONNECT, LAST_RECONNECT);
    this.#timer = setTimeout(() => void this.#connect(), delay);
  }

  #changed(reason: string | null, blocked: boolean): void {
    if (reason === this.#reason) return;
    this.#reason = reason;
    const { threadId, report } = this.#options;
    report({ type: 'connection.changed', threadId, connected: reason === null, reason, blocked });
  }

  #connected(patience: number): Promise<void> {
    if (this.#closed || patience <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => wake(), patience);
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
    });
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  #link(exchange: string): ExchangeLink | null {
    const known = this.#links.get(exchange);
    if (known !== undefined) return known;
    if (this.#links.size >= EXCHANGES_LIMIT) this.#sweep(monotonicNow());
    if (this.#links.size >= EXCHANGES_LIMIT || this.#closed) return null;
    const { threadId, report } = this.#options;
    const link = new ExchangeLink({
      exchange,
      connection: () => this.#connection,
      onChanged: (usable, reason) => report({ type: 'exchange.changed', threadId, exchange, usable, reason }),
      onSuspected: (suspects) => {
        for (const written of suspects) this.#suspicions.suspect(jobOf(written));
      },
      onJudged: (written, guilty) => this.#suspicions.judge(jobOf(written), guilty),
      trustedUntil: () => this.#trustedUntil,
      isCulprit: (written) => this.#suspicions.isCulprit(jobOf(written)),
    });
    this.#links.set(exchange, link);
    return link;
  }

  /** Closes the channels that were last used before then (monotonic ms). */
  #sweep(before: number): void {
    for (const [exchange, link] of this.#links) {
      const since = link.idleSince;
      if (since === null || since > before) continue;
      this.#links.delete(exchange);
      link.close();
    }
  }
}

function jobOf({ run, position }: Written): number {
  return run.batch.ids[position]!;
}
