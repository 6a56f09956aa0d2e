import { InvalidArgument } from './errors.ts';
/** Ends a request when the caller's signal does, or when it takes longer than it may. */
export class Deadline {
  readonly timeout: number;
  /** Whether the time has run out. */
  passed = false;
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal | undefined;
  readonly #onAbort: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  /** @param timeout ms; Infinity for none. @throws the reason of a signal that is aborted already */
  constructor(caller: AbortSignal | undefined, timeout: number) {
    if (!(timeout > 0)) throw new InvalidArgument('timeout must be a number of milliseconds above 0');
    caller?.throwIfAborted();
    this.timeout = timeout;
    this.#caller = caller;
    this.#onAbort = () => this.#controller.abort(caller?.reason);
    // Not AbortSignal.any: a signal that lives long would keep all its requests.
    caller?.addEventListener('abort', this.#onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The time runs from now. */
  start(): void {
    this.pause();
    // A longer one would end at once.
    if (this.#ended || this.timeout > 0x7fff_ffff) return;
    this.#timer = setTimeout(() => {
      this.passed = true;
      this.#controller.abort();
    }, this.timeout);
  }

  /** While it is not the server that is waited for. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  end(): void {
    this.#ended = true;
    this.pause();
    this.#caller?.removeEventListener('abort', this.#onAbort);
  }

  /** Ends the request for good. */
  abort(): void {
    this.#controller.abort();
    this.end();
  }

  /** @throws the caller's reason, when it is the caller who has ended it */
  throwIfCalledOff(): void {
    this.#caller?.throwIfAborted();
  }
}
