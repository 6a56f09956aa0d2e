import type { Deadline } from './deadline.ts';
import { plainParameters } from './request.ts';
import type { JobLine } from './types/jobs.ts';

type Part = JobLine | Uint8Array | string;

/** Jobs, or NDJSON as it is: bytes or text, as the stream of a file gives them. */
export type ImportSource = AsyncIterable<Part> | Iterable<Part>;

/** Bytes that are gathered for one piece of the body. */
const PIECE = 65_536;
/** How long jobs wait for others to go along, ms. */
const LINGER = 100;
/** The first half of a surrogate pair, whose second half is still to come. */
const HALF = /[\ud800-\udbff]$/;

/** The body of an import: it asks for jobs as the server takes them. The deadline stands still while it waits for one. */
export class ImportBody {
  readonly stream: ReadableStream<Uint8Array>;
  /** Why there was no next job. */
  fault: { readonly error: unknown } | undefined;
  readonly #jobs: AsyncIterator<Part> | Iterator<Part>;
  readonly #encoder = new TextEncoder();
  readonly #deadline: Deadline;
  /** It is the caller who is waited for, and not the server. */
  #asking = false;
  #ended = false;
  /** The job that was asked for. */
  #next: Promise<IteratorResult<Part>> | undefined;
  /** Text that is not in a piece yet. */
  #text = '';

  constructor(jobs: ImportSource, deadline: Deadline) {
    this.#deadline = deadline;
    this.#jobs = Symbol.asyncIterator in jobs ? jobs[Symbol.asyncIterator]() : jobs[Symbol.iterator]();
    this.stream = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          this.#asking = true;
          deadline.pause();
          // A pull that gives nothing is not repeated.
          for (let given = 0; given === 0 && !this.#ended; ) {
            for (const piece of await this.#pieces()) {
              given += piece.length;
              controller.enqueue(piece);
            }
          }
          this.#asking = false;
          deadline.start();
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

  /** Nothing more is wanted. It does not wait for a source that is asked for the next job just now. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const returned = Promise.resolve(this.#jobs.return?.()).catch(() => {});
    if (!this.#asking) await returned;
  }

  /** What is to be sent next: none of it is empty. */
  async #pieces(): Promise<Uint8Array[]> {
    const pieces: Uint8Array[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    let late: Promise<null> | undefined;
    try {
      while (pieces.length === 0 && !this.#ended) {
        if (this.#text.length >= PIECE && !HALF.test(this.#text)) break;
        this.#next ??= Promise.resolve(this.#jobs.next());
        if (this.#text !== '') {
          late ??= new Promise((resolve) => {
            timer = setTimeout(resolve, LINGER, null);
          });
          if ((await Promise.race([this.#next, late])) === null) break;
        }
        const { done, value } = await this.#next;
        this.#next = undefined;
        if (done) this.#ended = true;
        else if (value instanceof Uint8Array) pieces.push(...this.#encoded(), value);
        else this.#text += typeof value === 'string' ? value : `${JSON.stringify(plainParameters(value))}\n`;
      }
    } catch (error) {
      this.#ended = true;
      this.fault = { error };
      throw error;
    } finally {
      clearTimeout(timer);
    }
    return [...pieces, ...this.#encoded()].filter(({ length }) => length > 0);
  }

  /** All text but half of a surrogate pair. */
  #encoded(): Uint8Array[] {
    const end = this.#text.length - (HALF.test(this.#text) && !this.#ended ? 1 : 0);
    const text = this.#text.slice(0, end);
    this.#text = this.#text.slice(end);
    return text === '' ? [] : [this.#encoder.encode(text)];
  }
}
