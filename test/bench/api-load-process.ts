import { once } from 'node:events';
import { Agent, request } from 'node:http';
import type { ApiLoadAnswer, ApiLoadRequest } from './api-load.ts';
import { answerParent } from './child.ts';
import { jobName } from './seed-table.ts';

/** Each request has a connection of its own if it needs one: a slow answer holds up no other request. */
const agent = new Agent({ keepAlive: true, maxSockets: 500 });

let timer: NodeJS.Timeout | null = null;
let number = 0;
const latencies: number[] = [];
let refused = 0;
const open = new Set<Promise<void>>();

/** One request; its latency counts from when it was to be sent, so that one that had to wait tells of it. */
async function send(method: 'PUT' | 'GET', url: string, at: number): Promise<void> {
  try {
    const sent = request(url, { method, agent });
    sent.end();
    const [response] = await once(sent, 'response');
    response.resume();
    await once(response, 'end');
    if (response.statusCode >= 300) refused += 1;
  } catch {
    refused += 1;
  }
  latencies.push(performance.now() - at);
}

function start({ url, routingKey, jobs, perSecond }: ApiLoadRequest & { type: 'start' }): void {
  const jobUrl = (job: string) => `${url}/jobs/${encodeURIComponent(routingKey)}/${encodeURIComponent(job)}`;
  const run = `${Date.now().toString(36)}`;
  const begun = performance.now();
  latencies.length = 0;
  refused = 0;
  number = 0;
  timer = setInterval(() => {
    // What a late timer has left out is sent now, and counts from its time.
    for (let at = begun + (number * 1000) / perSecond; at <= performance.now(); ) {
      const put = number % 2 === 0;
      const target = put
        ? `${jobUrl(`api-${run}-${number}`)}?interval=3600`
        : jobUrl(jobName(1 + Math.floor(Math.random() * jobs)));
      const sent = send(put ? 'PUT' : 'GET', target, at);
      open.add(sent);
      void sent.then(() => open.delete(sent));
      number += 1;
      at = begun + (number * 1000) / perSecond;
    }
  }, 1);
}

answerParent(async (asked: ApiLoadRequest): Promise<ApiLoadAnswer> => {
  if (asked.type === 'start') {
    start(asked);
    return { latencies: [], refused: 0 };
  }
  if (timer !== null) clearInterval(timer);
  await Promise.all(open);
  return { latencies, refused };
});
