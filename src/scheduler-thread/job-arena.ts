import type { JobRow } from '../job/job.ts';
import type { Misfire } from '../job/misfire.ts';
import { ROW_BYTES, SLOT_BYTES } from '../protocol/job-memory.ts';
import { ByteStore } from './byte-store.ts';
import { type Extras, extrasOf } from './extras.ts';
import { IdIndex } from './id-index.ts';
import { Routes } from './routes.ts';
import { Rows } from './rows.ts';

/** Times of a job that are stepped over one by one. */
const MOST_STEPS = 1000;

/**
 * The jobs in memory, outside the JavaScript heap: a job is a slot, a row of these fields. What is not needed
 * to run the job (its interval's text, say) stays in MySQL.
 */
const Flag = { enabled: 1, oneOff: 2, settled: 4, extras: 8, payload: 16 } as const;

type LastRoute = {
  readonly bytes: Buffer;
  readonly exchange: string;
  readonly routingKey: string;
  readonly index: number;
};

export class JobArena {
  /** What a job's turn needs comes first. */
  readonly #rows = new Rows(ROW_BYTES);
  readonly id = this.#rows.float64(0);
  /** ms; 0 where it is no plain interval. */
  readonly interval = this.#rows.float64(8);
  readonly route = this.#rows.int32(16);
  /** The job's record in the flights that was added last, -1 for none. */
  readonly flight = this.#rows.int32(20);
  readonly #body = this.#rows.int32(24);
  readonly #bodyLength = this.#rows.int32(28);
  readonly #flags = this.#rows.uint8(32);
  /** Unix ms. */
  readonly since = this.#rows.float64(40);
  /** Unix ms. */
  readonly firstRun = this.#rows.float64(48);
  readonly version = this.#rows.float64(56);
  readonly routes = new Routes();
  /** Jobs whose schedule could not be told, until somebody has been told of them. */
  unknown: { readonly id: number; readonly reason: string }[] = [];
  readonly #bytes = new ByteStore();
  readonly #index = new IdIndex((slot) => this.id.get(slot));
  readonly #exchange: string;
  /** By slot: of those that have the flag. */
  readonly #extras = new Map<number, Extras>();
  #extrasBytes = 0;
  /** Jobs of which each missed time runs. */
  runningEach = 0;
  #lastRoute: LastRoute | null = null;
  /** Freed slots: a list through `flight`. */
  #free = -1;
  #end = 0;
  #size = 0;

  /** @param exchange where jobs publish that name no exchange of their own */
  constructor(exchange: string) {
    this.#exchange = exchange;
  }

  get size(): number {
    return this.#size;
  }

  /** All slots are below this; those that no job has are not enabled. */
  get end(): number {
    return this.#end;
  }

  /**
   * Bytes that the jobs take: those of the slots in use, and of the routes. A slot that is freed serves the next job, so that what
   * was once reserved does not count against new jobs.
   */
  get bytes(): number {
    return this.#bytes.bytes + this.routes.bytes + this.#size * SLOT_BYTES + this.#extrasBytes;
  }

  /** About so many jobs are to come. */
  expect(count: number): void {
    this.#index.reserve(count);
  }

  /** @returns the job's slot, or -1 */
  find(id: number): number {
    return this.#index.find(id);
  }

  /** Adds a job whose id is not there. */
  add(row: JobRow): number {
    const slot = this.#takeSlot();
    this.id.set(slot, row.id);
    this.flight.set(slot, -1);
    this.#bodyLength.set(slot, -1);
    this.route.set(slot, -1);
    this.#write(slot, row);
    this.#index.add(row.id, slot);
    this.#size++;
    return slot;
  }

  /** Brings a slot up to its row. A new `since` makes a settled one-off owed again. */
  update(slot: number, row: JobRow): void {
    this.#write(slot, row);
  }

  /** Forgets a job; none of its flights may name the slot any more. */
  remove(slot: number): void {
    this.#index.remove(this.id.get(slot));
    this.#bytes.free(this.#body.get(slot) >>> 0, this.#bodyLength.get(slot));
    this.#writeExtras(slot, null);
    this.routes.release(this.route.get(slot));
    this.flight.set(slot, this.#free);
    this.#flags.set(slot, 0);
    this.#free = slot;
    this.#size--;
  }

  isEnabled(slot: number): boolean {
    return (this.#flags.get(slot) & Flag.enabled) !== 0;
  }

  isOneOff(slot: number): boolean {
    return (this.#flags.get(slot) & Flag.oneOff) !== 0;
  }

  /** A one-off that has run, whose row is still to be deleted. */
  isSettled(slot: number): boolean {
    return (this.#flags.get(slot) & Flag.settled) !== 0;
  }

  markSettled(slot: number): void {
    this.#flags.set(slot, this.#flags.get(slot) | Flag.settled);
  }

  /** What the job has beside an interval and a first run; null for most. */
  extras(slot: number): Extras | null {
    return (this.#flags.get(slot) & Flag.extras) === 0 ? null : this.#extras.get(slot)!;
  }

  /** When the job runs, by its own rules; null where interval and first run tell. */
  misfire(slot: number): Misfire | null {
    return this.extras(slot)?.misfire ?? null;
  }

  /** Whether it is a plain interval, of which there is always a next time. */
  neverEnds(slot: number): boolean {
    return this.interval.get(slot) !== 0 && this.misfire(slot) === null;
  }

  /** The first scheduled time at or after `time`; Infinity when there is none. The same rule as job/next-run.ts. */
  firstAtOrAfter(slot: number, time: number): number {
    const misfire = this.misfire(slot);
    if (misfire !== null) return misfire.timetable.firstAtOrAfter(time);
    const firstRun = this.firstRun.get(slot);
    if (time <= firstRun) return firstRun;
    const interval = this.interval.get(slot);
    if (interval === 0) return Number.POSITIVE_INFINITY;
    return firstRun + Math.ceil((time - firstRun) / interval) * interval;
  }

  /** How many of its times lie in [from, until), which are two of them. */
  countBetween(slot: number, from: number, until: number): number {
    const misfire = this.misfire(slot);
    if (misfire !== null) return misfire.timetable.count(from, until, misfire.countLimit);
    return (until - from) / this.interval.get(slot);
  }

  /** The time that is `count` before one of its times. */
  stepBack(slot: number, time: number, count: number): number {
    const timetable = this.misfire(slot)?.timetable;
    if (timetable === undefined) return time - count * this.interval.get(slot);
    // So far back nobody looks in daily work: what the run stood for is then not told after a crash.
    if (count > MOST_STEPS) return time;
    let earlier = time;
    for (let left = count; left > 0; left--) earlier = timetable.lastAtOrBefore(earlier - 1);
    return Math.max(earlier, this.since.get(slot));
  }

  /** From a time of the job to the next one, ms: Infinity after the last. */
  gapAfter(slot: number, time: number): number {
    const misfire = this.misfire(slot);
    if (misfire !== null) return misfire.timetable.firstAtOrAfter(time + 1) - time;
    return this.interval.get(slot) || Number.POSITIVE_INFINITY;
  }

  /** Whether a time that comes to its turn at `clock` is one that was missed (see job/misfire.ts). All in ms. */
  isMissed(slot: number, time: number, clock: number, misfireAfter: number): boolean {
    const age = clock - time;
    return age > 0 && (age > misfireAfter || age > this.gapAfter(slot, time));
  }

  /** Whether the job, as it is now, owes this time. */
  owes(slot: number, time: number): boolean {
    return this.isEnabled(slot) && time >= this.since.get(slot) && this.firstAtOrAfter(slot, time) === time;
  }

  /** Bytes of the message's body. */
  bodyLength(slot: number): number {
    return this.#bodyLength.get(slot);
  }

  body(slot: number): Uint8Array {
    const body = new Uint8Array(this.bodyLength(slot));
    this.copyBody(slot, body, 0);
    return body;
  }

  /** The job's own text; null where its messages have a payload of their own, since only that is kept. */
  name(slot: number): Uint8Array | null {
    return (this.#flags.get(slot) & Flag.payload) === 0 ? this.body(slot) : null;
  }

  copyBody(slot: number, target: Uint8Array, offset: number): void {
    this.#bytes.copy(this.#body.get(slot) >>> 0, this.#bodyLength.get(slot), target, offset);
  }

  #write(slot: number, row: JobRow): void {
    const { schedule } = row;
    const settled = this.#flags.get(slot) & Flag.settled && this.since.get(slot) === row.since;
    this.version.set(slot, row.version);
    this.since.set(slot, row.since);
    this.firstRun.set(slot, schedule.firstRun);
    const extras = this.#extrasOf(row);
    this.interval.set(slot, schedule.kind === 'interval' ? schedule.intervalMs : 0);
    this.#writeExtras(slot, extras === 'unknown' ? null : extras);
    this.#flags.set(
      slot,
      (row.enabled && extras !== 'unknown' ? Flag.enabled : 0) |
        (schedule.kind === 'one_off' ? Flag.oneOff : 0) |
        (extras === null || extras === 'unknown' ? 0 : Flag.extras) |
        (row.payload === undefined ? 0 : Flag.payload) |
        (settled ? Flag.settled : 0),
    );
    this.#writeRoute(slot, row);
    this.#writeBody(slot, row.payload ?? row.job);
  }

  /** A job whose schedule cannot be told does not run, and harms no other: it must not end for that. */
  #extrasOf(row: JobRow): Extras | null | 'unknown' {
    try {
      return extrasOf(row);
    } catch (error) {
      this.unknown.push({ id: row.id, reason: error instanceof Error ? error.message : String(error) });
      return 'unknown';
    }
  }

  #writeExtras(slot: number, extras: Extras | null): void {
    const before = this.extras(slot);
    if (before === null && extras === null) return;
    this.#extrasBytes += (extras?.bytes ?? 0) - (before?.bytes ?? 0);
    this.runningEach += Number(extras?.misfire?.policy === 'all') - Number(before?.misfire?.policy === 'all');
    if (extras === null) this.#extras.delete(slot);
    else this.#extras.set(slot, extras);
  }

  #writeRoute(slot: number, row: JobRow): void {
    const before = this.route.get(slot);
    this.route.set(slot, this.#acquireRoute(row.message?.exchange ?? this.#exchange, row.routingKey));
    if (before !== -1) this.routes.release(before);
  }

  /** Many jobs in a row have the same routing key: it is not decoded again. */
  #acquireRoute(exchange: string, bytes: Uint8Array): number {
    const last = this.#lastRoute;
    if (last !== null && exchange === last.exchange && equal(bytes, last.bytes)) {
      if (this.routes.acquireAgain(last.index, last.exchange, last.routingKey)) return last.index;
    }
    const copy = Buffer.from(bytes);
    const routingKey = copy.toString('utf8');
    const index = this.routes.acquire(exchange, routingKey);
    this.#lastRoute = { bytes: copy, exchange, routingKey, index };
    return index;
  }

  #writeBody(slot: number, body: Uint8Array): void {
    const length = this.#bodyLength.get(slot);
    if (length !== -1) {
      if (this.#bytes.equals(this.#body.get(slot) >>> 0, length, body)) return;
      this.#bytes.free(this.#body.get(slot) >>> 0, length);
    }
    this.#body.set(slot, this.#bytes.put(body));
    this.#bodyLength.set(slot, body.length);
  }

  #takeSlot(): number {
    const slot = this.#free;
    if (slot !== -1) {
      this.#free = this.flight.get(slot);
      return slot;
    }
    this.#rows.reserve(this.#end + 1);
    return this.#end++;
  }
}

/** For a few bytes this is quicker than a call out of JavaScript. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}
