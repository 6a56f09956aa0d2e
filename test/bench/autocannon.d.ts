/** autocannon has no types of its own: as far as http-load-process.ts uses it. */
declare module 'autocannon' {
  namespace autocannon {
    type Client = { getRequestBuffer: () => Buffer };

    type Result = {
      /** s */
      readonly duration: number;
      readonly requests: { readonly total: number };
      /** ms */
      readonly latency: { readonly p50: number; readonly p99: number; readonly max: number };
      readonly non2xx: number;
      readonly errors: number;
    };

    type Options = {
      readonly url: string;
      readonly connections: number;
      /** s, whole ones */
      readonly duration: number;
      readonly setupClient: (client: Client) => void;
    };
  }

  function autocannon(options: autocannon.Options): Promise<autocannon.Result>;
  export = autocannon;
}
