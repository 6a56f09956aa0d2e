import { Deadline } from './deadline.ts';
import { DalgaProblem, DalgaUnreachable, InvalidArgument, NotDalga, type Problem } from './errors.ts';
import { type Query, queryOf } from './request.ts';

export type ClientOptions = {
  /** Where Dalga listens, as `http://127.0.0.1:34006`; a path before its own is kept. */
  readonly url: string | URL;
  /** What requests are made with; the global one by default. */
  readonly fetch?: typeof fetch;
  /** Sent with each request, as for a proxy in front: `{ authorization: 'Bearer ...' }`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** ms that a request may take; of an import or export: that nothing may come. 30 s by default, Infinity for no limit. */
  readonly timeout?: number;
};

/** Of one call. */
export type CallOptions = {
  /** Ends the call: it rejects with the signal's reason. What Dalga has done by then is not known. */
  readonly signal?: AbortSignal;
  /** In place of the client's. */
  readonly timeout?: number;
};

export type Call = CallOptions & {
  readonly method: string;
  readonly path: string;
  readonly query?: Query;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON, or what comes as it is made. */
  readonly body?: string | ReadableStream<Uint8Array>;
};

/** An answer that begins, and the time in which the rest of it has to come. */
export type Begun = { readonly response: Response; readonly deadline: Deadline };

const TIMEOUT = 30_000;
const PROBLEM_TYPE = 'urn:dalga:error:';
/** What a proxy answers in the place of a server that is away. */
const GATEWAY = new Set([502, 503, 504]);

/** Sends requests, and tells answers of Dalga from whatever else may come. */
export class Transport {
  /** Without a slash at its end. */
  readonly base: string;
  readonly #options: ClientOptions;

  /** @throws InvalidArgument for a URL that cannot be one of Dalga */
  constructor(options: ClientOptions) {
    this.base = baseOf(options.url);
    this.#options = options;
  }

  /** The JSON object that Dalga answers, with these members at least. */
  async json<T>(
    call: Call,
    members: readonly (keyof T & string)[],
  ): Promise<{ answer: T; response: Response }> {
    const { response, deadline } = await this.begin(call, 'application/json');
    try {
      const text = await this.during(deadline, () => response.text());
      return { answer: this.#parse<T>(response, text, members), response };
    } finally {
      deadline.end();
    }
  }

  /** For 204, which is an answer without a body. */
  async nothing(call: Call): Promise<void> {
    const { response, deadline } = await this.begin(call, null);
    deadline.end();
    if (response.status !== 204) await this.#refuse(response);
  }

  /**
   * Resolves once an answer of 2xx and this media type begins.
   *
   * @throws DalgaProblem, DalgaUnreachable, NotDalga, or the reason of the call's signal
   */
  async begin(call: Call, mediaType: string | null, deadline = this.deadline(call)): Promise<Begun> {
    try {
      const { url, init } = this.#request(call);
      const { fetch: send = fetch } = this.#options;
      deadline.start();
      const request = () => send(url, { ...init, signal: deadline.signal });
      const response = await this.during(deadline, request, false);
      if (!response.ok) throw await this.during(deadline, () => this.#problem(response));
      if (mediaType !== null && mediaTypeOf(response) !== mediaType) await this.#refuse(response);
      return { response, deadline };
    } catch (error) {
      deadline.end();
      throw error;
    }
  }

  /** @throws the reason of the call's signal */
  deadline({ signal, timeout = this.#options.timeout ?? TIMEOUT }: CallOptions): Deadline {
    return new Deadline(signal, timeout);
  }

  /** Waits for the server, and says what became of it where it fails. @param begun whether its answer has begun */
  async during<T>(deadline: Deadline, wait: () => Promise<T>, begun = true): Promise<T> {
    try {
      return await wait();
    } catch (cause) {
      deadline.throwIfCalledOff();
      if (deadline.passed)
        throw new DalgaUnreachable(this.base, `did not answer within ${deadline.timeout} ms`, { begun });
      throw new DalgaUnreachable(this.base, begun ? 'broke off its answer' : 'cannot be reached', {
        ...{ begun, cause },
      });
    }
  }

  /** @throws InvalidArgument for what cannot be sent */
  #request({ method, path, query = {}, headers, body }: Call): { url: string; init: RequestInit } {
    const all = headersOf({
      ...this.#options.headers,
      accept: 'application/json',
      ...(typeof body === 'string' ? { 'content-type': 'application/json' } : {}),
      ...headers,
    });
    return {
      url: `${this.base}${path}${queryOf(query)}`,
      init: {
        method,
        headers: all,
        ...(body === undefined ? {} : { body }),
        // fetch asks for it where a body comes bit by bit.
        ...(typeof body === 'object' ? { duplex: 'half' } : {}),
      },
    };
  }

  #parse<T>(response: Response, text: string, members: readonly string[]): T {
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch {
      throw this.#notDalga(response, 'whose JSON is malformed');
    }
    const missing = members.find(
      (name) => typeof answer !== 'object' || answer === null || !(name in answer),
    );
    if (missing !== undefined) throw this.#notDalga(response, `and JSON without "${missing}"`);
    return answer as T;
  }

  /** Why it was refused: by Dalga, or by something in its place. */
  async #problem(response: Response): Promise<Error> {
    const text = await response.text();
    const problem = parseProblem(response, text);
    if (problem !== null) return new DalgaProblem(problem, retryAfterOf(response));
    if (GATEWAY.has(response.status))
      return new DalgaUnreachable(this.base, `cannot be reached: a proxy answers ${response.status} for it`, {
        begun: false,
      });
    return this.#notDalga(response, `and ${mediaTypeOf(response) || 'no media type'}`);
  }

  async #refuse(response: Response): Promise<never> {
    await response.body?.cancel().catch(() => {});
    throw this.#notDalga(response, `and ${mediaTypeOf(response) || 'no media type'}`);
  }

  #notDalga({ status, redirected, url }: Response, what: string): NotDalga {
    const where = redirected
      ? `it redirects to ${new URL(url).origin}, where the answer is`
      : 'the answer is';
    return new NotDalga(this.base, status, `${where} ${status} ${what}`);
  }
}

/** @throws InvalidArgument */
function baseOf(given: string | URL): string {
  const url = URL.canParse(String(given)) ? new URL(given) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new InvalidArgument(`url must be one of http or https, as http://127.0.0.1:34006`);
  if (url.username !== '' || url.password !== '') {
    throw new InvalidArgument(
      `url must not hold a user and a password, which fetch refuses: give them as headers: { authorization: 'Basic ...' }`,
    );
  }
  if (url.search !== '' || url.hash !== '')
    throw new InvalidArgument('url must have no query and no fragment');
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

function headersOf(all: Readonly<Record<string, string>>): Headers {
  try {
    return new Headers(all);
  } catch (error) {
    throw new InvalidArgument((error as Error).message);
  }
}

function mediaTypeOf({ headers }: Response): string {
  return (headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
}

function parseProblem(response: Response, text: string): Problem | null {
  if (mediaTypeOf(response) !== 'application/problem+json') return null;
  try {
    const problem = JSON.parse(text) as Problem;
    return problem.type === `${PROBLEM_TYPE}${problem.code}` ? problem : null;
  } catch {
    return null;
  }
}

/** Seconds, of a number of seconds or a date (RFC 9110, section 10.2.3). */
function retryAfterOf({ headers }: Response): number | undefined {
  const text = headers.get('retry-after');
  if (text === null) return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  const seconds = Math.ceil((Date.parse(text) - Date.now()) / 1000);
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}
