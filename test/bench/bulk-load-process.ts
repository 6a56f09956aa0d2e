import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { BulkAnswer, BulkRequest } from './bulk-load.ts';
import { answerParent } from './child.ts';

/** The client of a bulk load: sends a file, and reads what is answered meanwhile. */
answerParent(async ({ url, file }: BulkRequest): Promise<BulkAnswer> => {
  const begun = performance.now();
  const call = request(new URL('/jobs', url), {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
  });
  const sent = pipeline(createReadStream(file, { highWaterMark: 256 * 1024 }), call);
  const answered = (async () => {
    const [response] = (await once(call, 'response')) as [IncomingMessage];
    response.setEncoding('utf8');
    // At most a line a second, and the totals.
    let text = '';
    for await (const part of response) text += part;
    if (response.statusCode !== 200) throw new Error(`POST /jobs answers ${response.statusCode}: ${text}`);
    return JSON.parse(text.trimEnd().split('\n').at(-1)!) as Omit<BulkAnswer, 'ms'>;
  })();
  const [totals] = await Promise.all([answered, sent]);
  return { ...totals, ms: performance.now() - begun };
});
