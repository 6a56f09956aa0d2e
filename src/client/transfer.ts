import { DalgaUnreachable, ImportEnded } from './errors.ts';
import { ImportBody, type ImportSource } from './import-source.ts';
import { chunksOf, linesOf } from './streams.ts';
import type { CallOptions, Transport } from './transport.ts';
import type { ImportLine, ImportProgress, ImportRefusal, ImportTotals, JobFilters } from './types/jobs.ts';

export const NDJSON = 'application/x-ndjson';

export type ImportOptions = CallOptions & {
  /** Called about once a second while the jobs are sent. */
  readonly onProgress?: (progress: ImportProgress) => void;
  /** Called for each line that was refused, the first 1,000 of them. */
  readonly onRefused?: (refusal: ImportRefusal) => void;
};

/** See DalgaClient.import. */
export async function importJobs(
  transport: Transport,
  jobs: ImportSource,
  { onProgress, onRefused, ...options }: ImportOptions,
): Promise<ImportTotals> {
  const deadline = transport.deadline(options);
  const body = new ImportBody(jobs, deadline);
  let totals: ImportTotals | undefined;
  try {
    const call = {
      ...{ method: 'POST', path: '/jobs', body: body.stream },
      headers: { accept: NDJSON, 'content-type': NDJSON },
    };
    const begun = await transport.begin(call, NDJSON, deadline);
    for await (const text of linesOf(chunksOf(transport, begun, false))) {
      body.heard();
      const line = JSON.parse(text) as ImportLine;
      if ('complete' in line) totals = line;
      else if ('line' in line) onRefused?.(line);
      else onProgress?.(line);
    }
  } catch (error) {
    // The fault of the source is what the caller knows what to do with.
    throw body.fault === undefined ? error : body.fault.error;
  } finally {
    await body.end();
  }
  if (totals === undefined)
    throw new DalgaUnreachable(transport.base, 'broke off its answer', { begun: true });
  if (!totals.complete) throw new ImportEnded(totals);
  return totals;
}

/** The jobs that the filters mean, as the bytes of NDJSON. */
export async function* exportBytes(
  transport: Transport,
  filters: JobFilters,
  options: CallOptions,
): AsyncGenerator<Uint8Array> {
  const call = {
    ...{ method: 'GET', path: '/jobs', query: filters },
    headers: { accept: NDJSON },
    ...options,
  };
  yield* chunksOf(transport, await transport.begin(call, NDJSON));
}
