import { setTimeout as delay } from 'node:timers/promises';

/** Between two requests of a kind, ms. */
const PAUSE = 20;
/** How long an answer may take, ms. */
const PATIENCE = 20_000;

export type ApiUse = {
  /** Answers of each kind. */
  readonly gets: number;
  readonly puts: number;
  /** What was no answer, or one of 500 and above. */
  readonly failures: readonly string[];
  /** The longest time that an answer took, ms. */
  readonly slowest: number;
};

/** A client that uses the API all the time: it schedules one job after another (for tomorrow), and reads them. */
export class ApiClient {
  readonly #url: string;
  readonly #counts = { GET: 0, PUT: 0 };
  readonly #failures: string[] = [];
  #slowest = 0;
  #stopped = false;
  readonly #running: Promise<unknown>;

  constructor(url: string) {
    this.#url = `${url}/jobs/api_client`;
    this.#running = Promise.all([this.#repeat('PUT'), this.#repeat('GET')]);
  }

  async stop(): Promise<ApiUse> {
    this.#stopped = true;
    await this.#running;
    const { GET: gets, PUT: puts } = this.#counts;
    return { gets, puts, failures: this.#failures, slowest: this.#slowest };
  }

  async #repeat(method: 'GET' | 'PUT'): Promise<void> {
    while (!this.#stopped) {
      if (method === 'PUT') await this.#ask(method, `${this.#counts.PUT}?interval=86400`);
      // The last one that was stored.
      else if (this.#counts.PUT > 0) await this.#ask(method, `${this.#counts.PUT - 1}`);
      await delay(PAUSE);
    }
  }

  async #ask(method: 'GET' | 'PUT', path: string): Promise<void> {
    const begun = performance.now();
    try {
      let answer = await this.#fetch(method, path);
      const wait = answer.headers.get('retry-after');
      // A machine that stalls keeps MySQL from answering in time: a client is told when to ask again, once.
      if (answer.status === 503 && wait !== null) {
        await delay(Number(wait) * 1000);
        answer = await this.#fetch(method, path);
      }
      if (answer.status >= 300) this.#failures.push(`${method} ${path}: ${answer.status}`);
      this.#counts[method]++;
    } catch (error) {
      this.#failures.push(`${method} ${path}: ${error}`);
    }
    this.#slowest = Math.max(this.#slowest, performance.now() - begun);
  }

  async #fetch(method: 'GET' | 'PUT', path: string): Promise<Response> {
    const answer = await fetch(`${this.#url}/${path}`, { method, signal: AbortSignal.timeout(PATIENCE) });
    await answer.arrayBuffer();
    return answer;
  }
}
