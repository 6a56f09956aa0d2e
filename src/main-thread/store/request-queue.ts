import type { Clock, Timers } from '../../clock.ts';
import { DalgaError } from '../../errors.ts';
import type { WriteAnswer, WriteRequest } from './batch-plan.ts';

export type Answered = { readonly answer: WriteAnswer; readonly number: number };

/** A request whose promise waits. Settling it twice does nothing. */
export type Waiting = {
  readonly request: WriteRequest;
  /** Monotonic ms: while it is queued it is refused then. */
  readonly until: number;
  readonly bulk: boolean;
  resolve(answered: Answered): void;
  reject(error: DalgaError): void;
};

/** A transaction stays well below MySQL's smallest usual max_allowed_packet (4 MiB): bytes go as two hex digits. */
export const BATCH_BYTES = 1_500_000;

/** What a row takes in a statement beside the bytes of its key. */
const ROW_BYTES = 100;

const LARGEST_BATCH = 1_000;
const SMALLEST_BATCH = 16;

/** No transaction is longer than this, ms: a batch that was halves the size of the next. */
const LONGEST_TRANSACTION = 200;

/** No batch takes a request that has waited for longer, ms: it is refused, and was never sent. */
const LONGEST_WAIT = 2_000;

/** The same for those of a bulk load, whose client has time, ms. */
const LONGEST_BULK_WAIT = 10_000;

/** What a request may add to a statement. A stored payload that it leaves alone is written again with the row. */
function requestBytes(write: WriteRequest): number {
  if (write.op === 'end') return ROW_BYTES;
  const { named } = write;
  const bytes = named.routingKey.length + named.job.length + ROW_BYTES;
  if (write.op !== 'put' && write.op !== 'post') return bytes;
  const { payload, message, exclude } = write.request;
  const texts = (message ?? exclude) === undefined ? 0 : JSON.stringify([message, exclude]).length;
  return bytes + texts + (payload?.length ?? 0);
}

/** What became of the requests of a bulk load. */
class BulkLoad {
  readonly #outcomes: (Answered | DalgaError)[];
  readonly #onSettled: (outcomes: readonly (Answered | DalgaError)[]) => void;
  #open: number;

  constructor(size: number, onSettled: (outcomes: readonly (Answered | DalgaError)[]) => void) {
    this.#outcomes = new Array(size);
    this.#open = size;
    this.#onSettled = onSettled;
  }

  settle(index: number, outcome: Answered | DalgaError): void {
    if (this.#outcomes[index] !== undefined) return;
    this.#outcomes[index] = outcome;
    if (--this.#open === 0) this.#onSettled(this.#outcomes);
  }
}

/** A class, since there are many: two functions for each would take longer than all else that the queue does. */
class WaitingInBulk implements Waiting {
  readonly bulk = true;
  readonly request: WriteRequest;
  readonly until: number;
  readonly #load: BulkLoad;
  readonly #index: number;

  constructor(request: WriteRequest, until: number, load: BulkLoad, index: number) {
    this.request = request;
    this.until = until;
    this.#load = load;
    this.#index = index;
  }

  resolve(answered: Answered): void {
    this.#load.settle(this.#index, answered);
  }

  reject(error: DalgaError): void {
    this.#load.settle(this.#index, error);
  }
}

/**
 * The requests that wait for a transaction, in the order in which they came. Those of bulk loads wait apart: single
 * requests go first, and a batch of a bulk load has its turn after each batch of those.
 */
export class RequestQueue {
  readonly #clock: Clock;
  readonly #timers: Timers;
  #waiting: Waiting[] = [];
  /** Parts of a batch of single requests that failed: each goes alone, before all others. */
  #parts: (readonly Waiting[])[] = [];
  #bulk: (readonly Waiting[])[] = [];
  #bulkTurn = false;
  /** Why a batch of a bulk load was put back last. */
  #bulkFault: DalgaError | null = null;
  #limit = LARGEST_BATCH;
  #timer: unknown = null;
  /** Monotonic ms: when the timer fires. */
  #watchedUntil = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock;
    this.#timers = timers;
  }

  get size(): number {
    return this.#waiting.length + this.#parts.length + this.#bulk.length;
  }

  add(request: WriteRequest): Promise<Answered> {
    return new Promise((resolve, reject) => {
      const until = this.#clock.monotonic() + LONGEST_WAIT;
      this.#waiting.push({ request, until, bulk: false, resolve, reject });
      this.#watch(until);
    });
  }

  /** Requests of a bulk load. Resolves to what became of each, once that is known of all. */
  addBulk(requests: readonly WriteRequest[]): Promise<readonly (Answered | DalgaError)[]> {
    if (requests.length === 0) return Promise.resolve([]);
    const until = this.#clock.monotonic() + LONGEST_BULK_WAIT;
    return new Promise((resolve) => {
      const load = new BulkLoad(requests.length, resolve);
      this.#bulk.push(requests.map((request, index) => new WaitingInBulk(request, until, load, index)));
      this.#watch(until);
    });
  }

  /** The next batch: as many as fit, in count and bytes. */
  take(): readonly Waiting[] {
    const part = this.#parts.shift();
    if (part !== undefined) return part;
    if (this.#bulk.length > 0 && (this.#bulkTurn || this.#waiting.length === 0)) {
      this.#bulkTurn = false;
      const [first, ...rest] = this.#bulk;
      const count = this.#fitting(first!);
      this.#bulk = count === first!.length ? rest : [first!.slice(count), ...rest];
      return first!.slice(0, count);
    }
    this.#bulkTurn = true;
    return this.#waiting.splice(0, this.#fitting(this.#waiting));
  }

  #fitting(waiting: readonly Waiting[]): number {
    let count = 0;
    let bytes = 0;
    while (count < waiting.length && count < this.#limit) {
      bytes += requestBytes(waiting[count]!.request);
      if (count > 0 && bytes > BATCH_BYTES) break;
      count++;
    }
    return count;
  }

  /** Puts a batch that failed back as two halves. */
  split(batch: readonly Waiting[]): void {
    const middle = Math.ceil(batch.length / 2);
    const { bulk, until } = batch[0]!;
    (bulk ? this.#bulk : this.#parts).unshift(batch.slice(0, middle), batch.slice(middle));
    this.#watch(until);
  }

  /**
   * Puts a batch back that MySQL did not take in time, or could not, to go in smaller ones where it may get smaller.
   * Once its time is over it is refused, and so are single requests at once: their clients wait.
   */
  putBack(batch: readonly Waiting[], error: DalgaError): void {
    const [first] = batch;
    if (!first?.bulk || first.until <= this.#clock.monotonic()) {
      this.refuse(batch, error);
      return;
    }
    this.#bulkFault = error;
    this.#bulk.unshift(batch);
    this.#watch(first.until);
  }

  refuse(batch: readonly Waiting[], error: DalgaError): void {
    for (const waiting of batch) waiting.reject(error);
  }

  refuseAll(error: DalgaError): void {
    for (const part of [...this.#parts, ...this.#bulk]) this.refuse(part, error);
    this.refuse(this.#waiting, error);
    this.#parts = [];
    this.#bulk = [];
    this.#waiting = [];
  }

  /** Ends its timer. */
  close(): void {
    this.#timers.clear(this.#timer);
  }

  /**
   * Learns from a batch how many requests fit into the time that a transaction may take.
   *
   * @param duration ms
   * @param committed one that failed tells only that it was too long
   */
  learn(duration: number, committed: boolean): void {
    if (committed) this.#bulkFault = null;
    if (duration > LONGEST_TRANSACTION) this.#limit = Math.max(SMALLEST_BATCH, Math.floor(this.#limit / 2));
    else if (committed && duration < LONGEST_TRANSACTION / 2) {
      this.#limit = Math.min(LARGEST_BATCH, Math.ceil(this.#limit * 1.2));
    }
  }

  /** One timer for the request whose time runs out first. */
  #watch(until: number): void {
    if (until >= this.#watchedUntil) return;
    this.#watchedUntil = until;
    this.#timers.clear(this.#timer);
    this.#timer = this.#timers.set(() => {
      this.#watchedUntil = Number.POSITIVE_INFINITY;
      this.#expire();
      for (const oldest of [this.#parts[0]?.[0], this.#waiting[0], this.#bulk[0]?.[0]]) {
        if (oldest !== undefined) this.#watch(oldest.until);
      }
    }, until - this.#clock.monotonic());
  }

  #expire(): void {
    const now = this.#clock.monotonic();
    const late = new DalgaError('database_unavailable', 'MySQL has not taken the change in time');
    const refuseOld = (waiting: readonly Waiting[]): Waiting[] => {
      const fresh = waiting.findIndex(({ until }) => until > now);
      const old = fresh === -1 ? waiting.length : fresh;
      this.refuse(waiting.slice(0, old), waiting[0]?.bulk ? (this.#bulkFault ?? late) : late);
      return waiting.slice(old);
    };
    const isLeft = (part: readonly Waiting[]): boolean => part.length > 0;
    this.#waiting = refuseOld(this.#waiting);
    this.#parts = this.#parts.map(refuseOld).filter(isLeft);
    this.#bulk = this.#bulk.map(refuseOld).filter(isLeft);
  }
}
