import type { Clock } from '../clock.ts';
import { DalgaError } from '../errors.ts';
import type { JobRequest } from '../job/change-row.ts';

/** Asks the broker for an exchange: why it is not to be had, or null; undefined when the broker cannot be asked now. */
export type LookForExchange = (exchange: string) => Promise<string | null | undefined>;

/** How long an answer holds, ms: an exchange that is missing may be declared the moment after. */
const KNOWN_FOR = 60_000;
const MISSING_FOR = 1000;

/** More names than anybody uses; past that all is forgotten. */
const REMEMBERED = 1000;

type Reason = Awaited<ReturnType<LookForExchange>>;
type Answer = { readonly until: number; readonly reason: Promise<Reason> };

/** Refuses jobs for an exchange that is not there. It may go later: then its jobs wait, and no others. */
export class Exchanges {
  readonly #look: LookForExchange;
  readonly #clock: Clock;
  readonly #answers = new Map<string, Answer>();

  constructor(look: LookForExchange, clock: Clock) {
    this.#look = look;
    this.#clock = clock;
  }

  /** @throws DalgaError invalid_parameter */
  async check({ message }: JobRequest): Promise<void> {
    const exchange = message?.exchange ?? '';
    // The default exchange is always there.
    if (exchange === '') return;
    const reason = await this.#ask(exchange);
    if (typeof reason !== 'string') return;
    throw new DalgaError('invalid_parameter', `exchange cannot be published to: ${reason}`, {
      parameter: 'exchange',
    });
  }

  #ask(exchange: string): Promise<Reason> {
    const now = this.#clock.monotonic();
    const known = this.#answers.get(exchange);
    if (known !== undefined && now < known.until) return known.reason;
    if (this.#answers.size >= REMEMBERED) this.#answers.clear();
    const asked = this.#look(exchange).then((reason) => {
      const until = this.#clock.monotonic() + (reason === null ? KNOWN_FOR : MISSING_FOR);
      if (reason === undefined) this.#answers.delete(exchange);
      else this.#answers.set(exchange, { until, reason: Promise.resolve(reason) });
      return reason;
    });
    // Whoever asks meanwhile waits for the same answer.
    this.#answers.set(exchange, { until: Number.POSITIVE_INFINITY, reason: asked });
    return asked;
  }
}
