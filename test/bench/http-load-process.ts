import autocannon, { type Client } from 'autocannon';
import { answerParent } from './child.ts';
import type { HttpLoad, HttpLoadRequest, HttpLoadResult } from './http-load.ts';
import { jobName } from './seed-table.ts';

/** How many new jobs were made so far. */
let made = 0;

function pathOf({ kind, routingKey, jobs }: HttpLoad): string {
  const number = kind === 'put' ? jobs + ++made : 1 + Math.floor(Math.random() * jobs);
  const path = `/jobs/${routingKey}/${encodeURIComponent(jobName(number))}`;
  return kind === 'put' ? `${path}?interval=86400` : path;
}

answerParent(async ({ type, load }: HttpLoadRequest): Promise<HttpLoadResult> => {
  const { kind, url, connections } = load;
  const { host } = new URL(url);
  const method = kind.toUpperCase();
  const cpu = process.cpuUsage();
  const { duration, requests, latency, non2xx, errors } = await autocannon({
    url,
    connections,
    duration: type === 'warm' ? load.warmUp : load.seconds,
    // autocannon's own ways to vary a request (setupRequest, idReplacement) cost it more than all the rest, and on
    // a few cores that is taken from the server; so each request's bytes are put together here.
    setupClient: (client: Client) => {
      if (typeof client.getRequestBuffer !== 'function') throw new Error('autocannon has changed');
      client.getRequestBuffer = () =>
        Buffer.from(
          `${method} ${pathOf(load)} HTTP/1.1\r\nHost: ${host}\r\nConnection: keep-alive\r\n\r\n`,
          'latin1',
        );
    },
  });
  if (non2xx > 0 || errors > 0)
    throw new Error(`of ${requests.total} answers ${non2xx} were refusals, and ${errors} requests failed`);
  const { user, system } = process.cpuUsage(cpu);
  return {
    rate: requests.total / duration,
    p50: latency.p50,
    p99: latency.p99,
    max: latency.max,
    generator: (user + system) / 1e6 / duration,
    succeeded: requests.total,
  };
});
