import { Child } from './child.ts';

/** `put`: each request makes a new job. `get`: each asks for a random one of the first `jobs`. */
export type HttpLoad = {
  readonly url: string;
  readonly kind: 'put' | 'get';
  readonly routingKey: string;
  /** How many jobs there are: the new ones get the numbers after them. */
  readonly jobs: number;
  /** Each has one request on its way at any time. */
  readonly connections: number;
  /** s of load before what is measured. */
  readonly warmUp: number;
  /** s */
  readonly seconds: number;
};

export type HttpLoadResult = {
  /** Answers a second. */
  readonly rate: number;
  /** ms */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Cores that the generator itself took. */
  readonly generator: number;
  /** Requests that were answered with success. */
  readonly succeeded: number;
};

export type HttpLoadRequest = { readonly type: 'warm' | 'measure'; readonly load: HttpLoad };

/** A load generator, autocannon, in a process of its own. */
export type HttpLoader = {
  /** The load that is not measured. @throws, as `measure`, when a request is refused or fails */
  warm(): Promise<HttpLoadResult>;
  measure(): Promise<HttpLoadResult>;
  close(): Promise<void>;
};

export function startLoader(load: HttpLoad): HttpLoader {
  const child = new Child<HttpLoadRequest, HttpLoadResult>(
    new URL('./http-load-process.js', import.meta.url),
  );
  return {
    warm: () => child.ask({ type: 'warm', load }),
    measure: () => child.ask({ type: 'measure', load }),
    close: () => child.close(),
  };
}
