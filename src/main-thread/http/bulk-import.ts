import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../clock.ts';
import { DalgaError } from '../../errors.ts';
import type { JobRequest } from '../../job/change-row.ts';
import type { JobKey } from '../../job/job.ts';
import { checkDefinition } from '../../job/plan.ts';
import type { JobService } from '../job-service.ts';
import { readBulkJob } from './bulk-job.ts';
import { type Line, splitLines } from './ndjson.ts';

/** Jobs of one batch, and the bytes of their lines: the coalescer cuts it further where that takes too long. */
const BATCH_JOBS = 1000;
const BATCH_BYTES = 1_000_000;
/** While MySQL writes one batch the next is read. */
const BATCHES_AT_ONCE = 2;
/** So many lines are read in one turn of the event loop: MySQL's answers, and other clients, wait no longer. */
const LINES_AT_ONCE = 100;
/** Refused lines that are told one by one. */
const REFUSALS_TOLD = 1000;
/** ms between two progress lines. */
const PROGRESS_INTERVAL = 1000;

export type BulkOptions = {
  readonly body: AsyncIterable<Buffer>;
  readonly jobs: Pick<JobService, 'putAll'>;
  readonly clock: Clock;
  /** Bytes of one line. */
  readonly lineLimit: number;
  /** Told of what is no error of the catalogue; the load ends as with any other fault. */
  readonly onUnexpected: (error: unknown) => void;
  /** Takes a line of the answer, or drops it when the client does not read. */
  readonly tell: (line: string) => void;
  /** Takes a line of the answer, however long the client lets it wait. */
  readonly answer: (line: string) => void;
};

type Put = { readonly number: number; readonly key: JobKey; readonly request: JobRequest };

/**
 * Stores the jobs of a body in NDJSON as they come. Every valid line is stored, whatever others are; the memory that
 * it takes does not depend on how many there are. While the body arrives only progress is told, so that a client
 * which writes all before it reads is never waited for; what was refused follows at the end, and last the totals.
 *
 * A fault that is no line's own (MySQL is away, another instance owns the table) ends it: the rest of the body is
 * read and thrown away, and the last line says `"complete":false` and why. Of a stop it says so at once, since the end
 * of the body may come after that of the process. Rejects only when the body breaks off.
 */
export async function importJobs(options: BulkOptions): Promise<void> {
  await new BulkImport(options).run();
}

class BulkImport {
  readonly #options: BulkOptions;
  readonly #counts = { lines: 0, stored: 0, created: 0, refused: 0 };
  readonly #refusals: { readonly number: number; readonly error: DalgaError }[] = [];
  readonly #writing = new Set<Promise<void>>();
  #batch: Put[] = [];
  #bytes = 0;
  #fault: DalgaError | null = null;
  /** Monotonic ms. */
  #toldAt: number;
  /** Resolves when the fault is that this instance stops. */
  readonly #stopped: Promise<void>;
  #stop = () => {};

  constructor(options: BulkOptions) {
    this.#options = options;
    this.#stopped = new Promise((resolve) => {
      this.#stop = resolve;
    });
    this.#toldAt = options.clock.monotonic();
  }

  async run(): Promise<void> {
    const { answer } = this.#options;
    try {
      // After a stop the body is still read: to leave it would close the connection under the answer.
      await Promise.race([this.#read(), this.#stopped]);
    } finally {
      await Promise.all(this.#writing);
    }
    // Batches are answered in their order, but a line that cannot be read is refused before an earlier one is written.
    for (const { number, error } of this.#refusals.sort((a, b) => a.number - b.number)) {
      answer(
        JSON.stringify({ line: number, code: error.code, parameter: error.parameter, detail: error.message }),
      );
    }
    const fault = this.#fault === null ? {} : { code: this.#fault.code, detail: this.#fault.message };
    answer(JSON.stringify({ complete: this.#fault === null, ...this.#counts, ...fault }));
  }

  async #read(): Promise<void> {
    const { body, lineLimit } = this.#options;
    for await (const lines of splitLines(body, lineLimit)) {
      for (const line of lines) {
        if (this.#fault !== null) break;
        this.#take(line);
        if (this.#batch.length >= BATCH_JOBS || this.#bytes >= BATCH_BYTES) await this.#write();
        if (this.#counts.lines % LINES_AT_ONCE === 0) await nextTurn();
      }
      this.#tellProgress();
    }
    await this.#write();
  }

  #take({ number, bytes }: Line): void {
    this.#counts.lines++;
    try {
      if (bytes === null)
        throw new DalgaError('body_too_large', `the line is longer than ${this.#options.lineLimit} bytes`);
      const { key, request } = readBulkJob(bytes);
      checkDefinition(request);
      this.#batch.push({ number, key, request });
      this.#bytes += bytes.length;
    } catch (error) {
      this.#refuse(number, this.#toRefusal(error));
    }
  }

  /** Hands the batch over; resolves when the next one may be read. */
  async #write(): Promise<void> {
    const batch = this.#batch;
    if (batch.length === 0 || this.#fault !== null) return;
    this.#batch = [];
    this.#bytes = 0;
    const written = this.#store(batch).finally(() => this.#writing.delete(written));
    this.#writing.add(written);
    // RabbitMQ is asked for an exchange before such a batch is queued: the next one would overtake it.
    if (batch.some(({ request }) => request.message?.exchange !== undefined)) await written;
    else if (this.#writing.size >= BATCHES_AT_ONCE) await Promise.race(this.#writing);
  }

  async #store(batch: readonly Put[]): Promise<void> {
    let outcomes: readonly ('created' | 'stored' | DalgaError)[];
    try {
      outcomes = await this.#options.jobs.putAll(batch);
    } catch (error) {
      const refusal = this.#toRefusal(error);
      outcomes = batch.map(() => refusal);
    }
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome instanceof DalgaError) this.#refuse(batch[index]!.number, outcome);
      else {
        this.#counts.stored++;
        if (outcome === 'created') this.#counts.created++;
      }
    }
  }

  #toRefusal(error: unknown): DalgaError {
    if (error instanceof DalgaError) return error;
    this.#options.onUnexpected(error);
    return new DalgaError('internal', 'the load failed unexpectedly', { cause: error });
  }

  #refuse(number: number, error: DalgaError): void {
    this.#counts.refused++;
    // What the next line would meet too.
    if (error.status >= 500 && error.code !== 'insufficient_memory') this.#fault ??= error;
    if (this.#fault?.code === 'stopping') this.#stop();
    if (this.#refusals.length < REFUSALS_TOLD) this.#refusals.push({ number, error });
  }

  #tellProgress(): void {
    // The last line may have been written already.
    if (this.#fault?.code === 'stopping') return;
    const now = this.#options.clock.monotonic();
    if (now - this.#toldAt < PROGRESS_INTERVAL) return;
    this.#toldAt = now;
    this.#options.tell(JSON.stringify(this.#counts));
  }
}
