import { once } from 'node:events';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jobName } from './harness.ts';

/** Lines that are written at a time. */
const LINES = 1000;

/** A file of jobs, a line of NDJSON each, that `remove` deletes. @param interval s */
export async function writeJobs(
  jobs: number,
  routingKey: string,
  interval: number,
): Promise<{ readonly file: string; readonly remove: () => void }> {
  const folder = mkdtempSync(join(tmpdir(), 'dalga-bench-'));
  const file = join(folder, 'jobs.ndjson');
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  // A run that is broken off leaves no hundred megabytes behind.
  process.once('exit', remove);
  const stream = createWriteStream(file);
  for (let first = 1; first <= jobs; first += LINES) {
    let text = '';
    for (let id = first; id < first + LINES && id <= jobs; id++)
      text += `${JSON.stringify({ routing_key: routingKey, job: jobName(id), interval })}\n`;
    if (!stream.write(text)) await once(stream, 'drain');
  }
  stream.end();
  await once(stream, 'close');
  return { file, remove };
}

export type BulkRequest = { readonly url: string; readonly file: string };

/** The last line of the answer, and how long it took until it came, ms. */
export type BulkAnswer = {
  readonly ms: number;
  readonly complete: boolean;
  readonly stored: number;
  readonly created: number;
  readonly refused: number;
};
