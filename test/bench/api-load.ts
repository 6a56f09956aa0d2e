import { Child } from './child.ts';

export type ApiLoadRequest =
  | {
      readonly type: 'start';
      readonly url: string;
      readonly routingKey: string;
      /** Jobs 1 to this one are read at random. */
      readonly jobs: number;
      readonly perSecond: number;
    }
  | { readonly type: 'stop' };

export type ApiLoadAnswer = {
  /** ms, from when a request was to be sent to the end of its answer. */
  readonly latencies: readonly number[];
  /** Answers of 300 and above, and broken connections. */
  readonly refused: number;
};

/** Requests at a steady pace, half durable PUTs of new jobs and half GETs, from a process of its own. */
export class ApiLoad {
  readonly #child = new Child<ApiLoadRequest, ApiLoadAnswer>(
    new URL('./api-load-process.js', import.meta.url),
  );

  async start(options: Omit<ApiLoadRequest & { type: 'start' }, 'type'>): Promise<void> {
    await this.#child.ask({ type: 'start', ...options });
  }

  /** Waits for the answers that are open, and tells of all. */
  stop(): Promise<ApiLoadAnswer> {
    return this.#child.ask({ type: 'stop' });
  }

  close(): Promise<void> {
    return this.#child.close();
  }
}
