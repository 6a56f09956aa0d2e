import type { Deadline } from './deadline.ts';
import { DalgaUnreachable, ImportEnded } from './errors.ts';
import { plainParameters } from './request.ts';
import { chunksOf, linesOf } from './streams.ts';
import type { CallOptions, Transport } from './transport.ts';
import type {
  ImportLine,
  ImportProgress,
  ImportRefusal,
  ImportTotals,
  JobFilters,
  JobLine,
} from './types/jobs.ts';

export const NDJSON = 'application/x-ndjson';

/** Jobs, or NDJSON as it is: bytes or text, as the stream of a file gives them. */
export type ImportSource =
  | AsyncIterable<JobLine | Uint8Array | string>
  | Iterable<JobLine | Uint8Array | string>;

export type ImportOptions = CallOptions & {
  /** Called about once a second while the jobs are sent. */
  readonly onProgress?: (progress: ImportProgress) => void;
  /** Called for each line that was refused, the first 1,000 of them. */
  readonly onRefused?: (refusal: ImportRefusal) => void;
};

/** Bytes that are gathered for one piece of the body. */
const PIECE = 65_536;

/** See DalgaClient.import. */
export async function importJobs(
  transport: Transport,
  jobs: ImportSource,
  { onProgress, onRefused, ...options }: ImportOptions,
): Promise<ImportTotals> {
  const deadline = transport.deadline(options);
  const source = new Source(jobs, deadline);
  let totals: ImportTotals | undefined;
  try {
    const call = {
      ...{ method: 'POST', path: '/jobs', body: source.stream },
      headers: { accept: NDJSON, 'content-type': NDJSON },
    };
    const begun = await transport.begin(call, NDJSON, deadline);
    for await (const text of linesOf(chunksOf(transport, begun, false))) {
      source.heard();
      const line = JSON.parse(text) as ImportLine;
      if ('complete' in line) totals = line;
      else if ('line' in line) onRefused?.(line);
      else onProgress?.(line);
    }
  } catch (error) {
    // The fault of the source is what the caller knows what to do with.
    throw source.fault === undefined ? error : source.fault.error;
  } finally {
    await source.end();
  }
  if (totals === undefined) throw new DalgaUnreachable(transport.base, 'broke off its answer');
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

/** The body of an import: it asks for jobs as the server takes them. */
class Source {
  readonly stream: ReadableStream<Uint8Array>;
  /** Why there was no next job. */
  fault: { readonly error: unknown } | undefined;
  readonly #jobs: AsyncIterator<JobLine | Uint8Array | string> | Iterator<JobLine | Uint8Array | string>;
  readonly #encoder = new TextEncoder();
  readonly #deadline: Deadline;
  /** It is the caller who is waited for, and not the server. */
  #asking = false;
  #ended = false;

  constructor(jobs: ImportSource, deadline: Deadline) {
    this.#deadline = deadline;
    this.#jobs = Symbol.asyncIterator in jobs ? jobs[Symbol.asyncIterator]() : jobs[Symbol.iterator]();
    this.stream = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          this.#asking = true;
          deadline.pause();
          const piece = await this.#piece();
          this.#asking = false;
          deadline.start();
          if (piece.length > 0) controller.enqueue(piece);
          if (this.#ended) controller.close();
        },
        cancel: () => this.end(),
      },
      { highWaterMark: 0 },
    );
  }

  /** The server has told something: it has its time anew. */
  heard(): void {
    if (!this.#asking) this.#deadline.start();
  }

  /** Nothing more is wanted. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#jobs.return?.();
  }

  async #piece(): Promise<Uint8Array> {
    let text = '';
    try {
      while (text.length < PIECE) {
        const { done, value } = await this.#jobs.next();
        if (done) {
          this.#ended = true;
          break;
        }
        if (value instanceof Uint8Array) {
          const before = this.#encoder.encode(text);
          const piece = new Uint8Array(before.length + value.length);
          piece.set(before);
          piece.set(value, before.length);
          return piece;
        }
        text += typeof value === 'string' ? value : `${JSON.stringify(plainParameters(value))}\n`;
      }
    } catch (error) {
      this.#ended = true;
      this.fault = { error };
      throw error;
    }
    return this.#encoder.encode(text);
  }
}
