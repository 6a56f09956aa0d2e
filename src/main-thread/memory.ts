import { totalmem } from 'node:os';
import { DalgaError } from '../errors.ts';
import { jobBytes } from '../protocol/job-memory.ts';

/** What jobs may take when nothing is set: this part of the memory that the process can have. */
const SHARE = 0.7;

/** What a job's name is taken to have before it is known, bytes. */
const USUAL_NAME = 48;

/**
 * Bytes that jobs may take: the configured number, or a share of the cgroup's limit, or of the machine's memory
 * where there is none. (process.constrainedMemory: 0 or a huge number where no limit is set.)
 */
export function memoryLimit(configured: number): number {
  if (configured > 0) return configured;
  const constrained = process.constrainedMemory();
  const total = totalmem();
  return Math.floor(SHARE * (constrained > 0 && constrained < total ? constrained : total));
}

/**
 * Main's account of the memory that jobs take: what the scheduler last reported (while it loads, about what the whole
 * table will take), what was posted since and that report does not cover, and what the running batch adds.
 */
export class JobMemory {
  readonly #limit: number;
  #reported = 0;
  /** What the table will take once it is loaded, about; 0 when it is. */
  #expected = 0;
  /** Bytes by the number of the changes. */
  readonly #posted = new Map<number, number>();
  #postedBytes = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * @param more what a job takes that is new, or what one takes more than before, bytes
   * @param added the same of the changes before it in its batch
   * @throws DalgaError insufficient_memory when it does not fit
   */
  admit(more: number, added: number): void {
    const used = Math.max(this.#reported, this.#expected) + this.#postedBytes;
    if (used + added + more <= this.#limit) return;
    throw new DalgaError(
      'insufficient_memory',
      `the jobs take ${used} bytes of the ${this.#limit} that DALGA_MEMORY_LIMIT allows`,
    );
  }

  /** The load has begun, of about so many jobs. */
  loading(jobs: number): void {
    this.#expected = jobs * jobBytes(USUAL_NAME);
  }

  loaded(): void {
    this.#expected = 0;
  }

  /** A batch of changes was posted under this number. @param added what was admitted of it, bytes */
  posted(number: number, added: number): void {
    if (added === 0) return;
    this.#posted.set(number, added);
    this.#postedBytes += added;
  }

  /** The scheduler has taken in the changes up to `number`, and the jobs take so many bytes. */
  acknowledged(number: number, bytes: number): void {
    this.#reported = bytes;
    for (const [posted, added] of this.#posted) {
      if (posted > number) break;
      this.#posted.delete(posted);
      this.#postedBytes -= added;
    }
  }
}
