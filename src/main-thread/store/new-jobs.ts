import type { WriteRequest } from './batch-plan.ts';

/** So many batches of nothing but new jobs in a row, and the next is taken for another. */
const IN_A_ROW = 3;

/**
 * Whether the jobs of a batch are taken for new, so that nobody looks for them first. It is tried while a service or a
 * bulk load makes one new job after another; the table's unique key tells when it was wrong, of each row that is written.
 */
export class NewJobs {
  #inARow = 0;

  /** Only of PUTs without If-Match: others write nothing where there is no job. */
  expectedIn(batch: readonly WriteRequest[]): boolean {
    return this.#inARow >= IN_A_ROW && batch.every(isPlainPut);
  }

  /** What was found stored of the jobs of a batch, how many of them. */
  looked(batch: readonly WriteRequest[], found: number): void {
    this.#inARow = found === 0 && batch.every(isPlainPut) ? this.#inARow + 1 : 0;
  }

  /** A job that was taken for new was there. */
  wrong(): void {
    this.#inARow = 0;
  }
}

function isPlainPut(request: WriteRequest): boolean {
  return request.op === 'put' && (request.ifMatch ?? null) === null;
}
