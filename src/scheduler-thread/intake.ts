import { caughtUpThrough } from '../job/caught-up.ts';
import type { Exceptions } from '../job/exceptions.ts';
import type { JobRow } from '../job/job.ts';
import { type Owed, owedAfter, type PacedCatchUp } from '../job/paced-catch-up.ts';
import type { JobChange } from '../protocol/main-scheduler.ts';
import type { CatchUp } from './catch-up.ts';
import type { Lapses } from './lapses.ts';
import type { Occurrences } from './occurrences.ts';

/** An exception of a job: its scheduled time, Unix ms, and how many earlier ones it stands for. */
type Listed = { readonly time: number; readonly behind: number };

/**
 * How rows come in: from the load and from changes, in whatever order the two arrive. Arming is one function of
 * the row, the watermark, the exceptions and what a catch-up had done, for both.
 */
export class Intake {
  readonly #occurrences: Occurrences;
  readonly #watermark: number;
  readonly #catchUp: CatchUp;
  readonly #paced: PacedCatchUp | null;
  readonly #lapses: Lapses | null;
  /** By job id; what the load has not asked for by its end counts for nothing. */
  #exceptions = new Map<number, Listed[]>();
  /** Ids that were removed while the load runs: a row that the snapshot still has is not to come back. */
  #tombstones: Set<number> | null = new Set();
  /** Ids that changes brought while the load runs: only these can be there when their row is loaded. */
  #changed: Set<number> | null = new Set();

  /**
   * @param watermark the durable one at the start, Unix ms
   * @param paced how far a paced catch-up had come that the last owner did not end; null for none
   * @param lapses null where catch-ups are not paced
   */
  constructor(
    occurrences: Occurrences,
    watermark: number,
    exceptions: Exceptions,
    { catchUp, paced, lapses }: { catchUp: CatchUp; paced: PacedCatchUp | null; lapses: Lapses | null },
  ) {
    this.#occurrences = occurrences;
    this.#watermark = watermark;
    this.#catchUp = catchUp;
    this.#paced = paced;
    this.#lapses = lapses;
    for (const [index, id] of exceptions.ids.entries()) {
      const owed = this.#exceptions.get(id) ?? [];
      owed.push({ time: exceptions.times[index]!, behind: exceptions.behind[index]! });
      this.#exceptions.set(id, owed);
    }
  }

  get loading(): boolean {
    return this.#tombstones !== null;
  }

  /** The load begins, of about so many jobs. */
  expect(jobs: number): void {
    this.#occurrences.arena.expect(jobs);
  }

  apply(change: JobChange): void {
    if (change.op === 'upsert') {
      this.#changed?.add(change.row.id);
      this.#upsert(change.row);
    } else this.#remove(change.id);
  }

  /** A row of the snapshot: it counts only when no change of the job has come. */
  load(row: JobRow): void {
    if (this.#tombstones?.has(row.id)) return;
    this.#lapses?.knows(row.since);
    if (this.#changed?.has(row.id)) this.#upsert(row);
    else this.#arm(this.#occurrences.arena.add(row));
  }

  finishLoad(): void {
    this.#tombstones = null;
    this.#changed = null;
    this.#exceptions = new Map();
  }

  #upsert(row: JobRow): void {
    const { arena } = this.#occurrences;
    const slot = arena.find(row.id);
    this.#lapses?.knows(row.since);
    if (slot === -1) {
      this.#catchUp.changed(row.since);
      this.#arm(arena.add(row));
      return;
    }
    if (arena.version.get(slot) >= row.version) return;
    const newSince = arena.since.get(slot) !== row.since;
    const resumed = arena.isEnabled(slot) !== row.enabled;
    const policy = arena.misfire(slot)?.policy;
    arena.update(slot, row);
    // By another rule it would have been another that waited.
    if (arena.misfire(slot)?.policy !== policy) this.#lapses?.lose();
    this.#occurrences.judgeFlights(slot);
    if (newSince || resumed) this.#armAnew(slot);
    else if (arena.isSettled(slot)) this.#occurrences.settleJob(slot);
  }

  #remove(id: number): void {
    this.#tombstones?.add(id);
    const slot = this.#occurrences.arena.find(id);
    if (slot !== -1) this.#occurrences.remove(slot);
  }

  /** A job that was not there: it owes its exceptions, and all from the watermark or its `since` on. */
  #arm(slot: number): void {
    const { arena, queue } = this.#occurrences;
    if (!arena.isEnabled(slot)) return;
    const paced = this.#pacedOwed(slot);
    const from = paced?.from ?? this.#owesFrom(slot);
    const next = paced?.next ?? arena.firstAtOrAfter(slot, from);
    const missed = paced?.missed ?? Number.POSITIVE_INFINITY;
    if (this.#lapses === null) queue.set(slot, Math.min(missed, next));
    else {
      queue.set(slot, next);
      this.#occurrences.missed.set(slot, missed);
      this.#noteArmed(slot, next, next);
    }
    const held = this.#holdExceptions(slot, from);
    // A one-off before the watermark that is no exception has run: the row was to be deleted.
    if (Math.min(missed, next) === Number.POSITIVE_INFINITY && !held) this.#occurrences.settleJob(slot);
  }

  /** What a job that was not there owes, where a paced catch-up tells it: all from `from` on too. */
  #pacedOwed(slot: number): (Owed & { readonly from: number }) | null {
    const { arena } = this.#occurrences;
    const paced = this.#paced;
    const since = arena.since.get(slot);
    const misfire = arena.misfire(slot);
    if (paced === null || since > paced.known || misfire?.policy === 'all') return null;
    const skips = misfire?.policy === 'skip';
    const owed = owedAfter(paced, {
      firstAtOrAfter: (time) => arena.firstAtOrAfter(slot, Math.max(time, since)),
      isMissed: (time, clock) => !skips && arena.isMissed(slot, time, clock, paced.misfireAfter),
    });
    return { ...owed, from: Math.max(since, paced.through) };
  }

  /** Where each of its times runs nothing is told of a job. */
  #noteArmed(slot: number, first: number, next: number): void {
    if (this.#occurrences.arena.misfire(slot)?.policy !== 'all') this.#lapses?.changed(first, next);
  }

  /** When a job that was not there begins to owe all its times. */
  #owesFrom(slot: number): number {
    const { arena } = this.#occurrences;
    const since = arena.since.get(slot);
    const caughtUp = this.#catchUp.durable;
    // A change that the last owner's scheduler may not have known has a stamp at or after the watermark.
    // Where each of its times runs, a turn did not take all that was due.
    const each = arena.misfire(slot)?.policy === 'all';
    if (caughtUp === null || each || since > caughtUp.origin || since >= this.#watermark) {
      return Math.max(since, this.#watermark);
    }
    return Math.max(this.#watermark, caughtUpThrough(caughtUp, arena.firstAtOrAfter(slot, caughtUp.origin)));
  }

  #holdExceptions(slot: number, from: number): boolean {
    const { arena, counts } = this.#occurrences;
    let held = false;
    for (const { time, behind } of this.#exceptions.get(arena.id.get(slot)) ?? []) {
      if (!arena.owes(slot, time)) continue;
      if (time >= from) {
        this.#noteDebt(slot, time, behind, from);
        continue;
      }
      counts.due++;
      counts.recovered++;
      this.#occurrences.hold(this.#occurrences.addFlight(slot, time, behind));
      held = true;
    }
    return held;
  }

  /** An exception that is owed anyway: what it stands for from before then is told of none. */
  #noteDebt(slot: number, time: number, behind: number, from: number): void {
    const { arena, debts } = this.#occurrences;
    if (arena.since.get(slot) > this.#watermark) return;
    const first = arena.firstAtOrAfter(slot, from);
    const debt = behind - arena.countBetween(slot, first, time);
    if (debt > 0) debts.set(slot, debt);
  }

  /**
   * A job whose schedule was planned anew: no time is taken again that has run. One that a publisher has is judged
   * at its turn, since its outcome may come before.
   */
  #armAnew(slot: number): void {
    const { arena, queue, alreadyRun } = this.#occurrences;
    this.#catchUp.changed(arena.since.get(slot));
    this.#occurrences.forgetBehind(slot);
    alreadyRun.delete(slot);
    this.#occurrences.debts.delete(slot);
    this.#occurrences.missed.remove(slot);
    if (!arena.isEnabled(slot)) {
      queue.remove(slot);
      return;
    }
    const since = Math.max(arena.since.get(slot), this.#watermark);
    const runs = new Set<number>();
    this.#occurrences.recent.collect(arena.id.get(slot), since, runs);
    const first = arena.firstAtOrAfter(slot, since);
    let next = first;
    while (runs.has(next)) next = arena.firstAtOrAfter(slot, next + 1);
    queue.set(slot, next);
    this.#noteArmed(slot, first, next);
    if (runs.size > 0) alreadyRun.set(slot, runs);
    const over = next === Number.POSITIVE_INFINITY && !this.#occurrences.hasUnsettled(slot);
    if (over) this.#occurrences.settleJob(slot);
  }
}
