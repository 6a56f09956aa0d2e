import type { JobRow, Schedule } from '../../src/job/job.ts';
import { WatermarkGate } from '../../src/main-thread/store/watermark-gate.ts';
import type { JobChange, Progress } from '../../src/protocol/main-scheduler.ts';
import {
  Outcome,
  type OutcomeCode,
  type PublishAnswer,
  type PublishBatch,
} from '../../src/protocol/scheduler-publisher.ts';
import { Scheduler } from '../../src/scheduler-thread/scheduler.ts';
import { ManualTime, settleMicrotasks } from '../helpers/manual-time.ts';
import { seededRandom } from '../helpers/random.ts';

const START = 1_800_000_000_000;
const INTERVALS = [1000, 1000, 2000, 5000];
const JOBS = 6;
const STEPS = 120;
const TOLD = [Outcome.nacked, Outcome.lost, Outcome.unsent, Outcome.pending, Outcome.confirmed];
const LEASE = 5000;
const ALWAYS = Number.MAX_SAFE_INTEGER;

export type RecoveryOptions = {
  /** How likely the clock steps back with a crash, and in between, 0 to 1. */
  readonly stepsBack: number;
  /** Whether catch-ups are paced. */
  readonly paced?: boolean;
};

/** A message that a publisher has. */
type Message = {
  readonly batch: number;
  readonly position: number;
  readonly id: number;
  readonly time: number;
  /** How many earlier times it counts. */
  readonly behind: number;
  ended: boolean;
};

type Held = { readonly messages: readonly Message[]; readonly answer: (outcomes: OutcomeCode[]) => void };

/**
 * The real scheduler and the real gate through crashes, stops and whatever comes between, with limits so small that a
 * few jobs are many: what is durable is all that a new owner knows. A seed decides everything.
 *
 * `run` says what is wrong: an occurrence that neither came nor was counted by a later one, a one-off that is called
 * settled and never came, or one that came again after a clean stop.
 */
export class RecoveryRun {
  readonly #random: () => number;
  readonly #options: RecoveryOptions;
  readonly #time = new ManualTime(START);
  readonly #limits;
  /** What is durable. */
  readonly #rows = new Map<number, JobRow>();
  #durable = { watermark: START - 1, exceptions: new Uint8Array(0), stamp: START - 1 };
  #nextId = 1;
  /** By job: times that came or were counted, and those that came themselves. */
  readonly #covered = new Map<number, Set<number>>();
  readonly #came = new Map<number, Set<number>>();
  /** When a job's last change reached the scheduler. */
  readonly #changedAt = new Map<number, number>();
  /** The owner's process. */
  #life = 0;
  #scheduler!: Scheduler;
  #gate!: WatermarkGate;
  #held: Held[] = [];
  #pending: Message[] = [];
  #commands: { readonly number: number; readonly changes: readonly JobChange[] }[] = [];
  #reports: Progress[] = [];
  #toLoad: JobRow[] | null = null;
  #open: { readonly stamp: number; readonly changes: readonly JobChange[] } | null = null;
  #writing: ReturnType<WatermarkGate['take']> = null;
  #number = 0;
  #intervals = new Map<number, number>();
  /** A run then counts its own time only where it is later than its interval. */
  #misfireAfter = ALWAYS;
  /** All is confirmed at once. */
  #obliging = false;
  /** What this process was told is confirmed, and what all before it were when it began after a clean stop. */
  #told = new Set<string>();
  #settledBefore: Set<string> | null = null;
  #fault: string | null = null;

  constructor(seed: number, options: RecoveryOptions) {
    this.#random = seededRandom(seed);
    this.#options = options;
    this.#limits = {
      batch: this.#whole(1, 3),
      unconfirmed: this.#whole(1, 6),
      exceptions: this.#whole(1, 4),
    };
  }

  async run(): Promise<string | null> {
    this.#begin();
    this.#load(Number.POSITIVE_INFINITY);
    for (let step = 0; step < STEPS && this.#fault === null; step++) {
      await this.#step(this.#random() * 100);
      await settleMicrotasks();
    }
    if (this.#fault === null) await this.#end();
    this.#life++;
    return this.#fault;
  }

  async #step(dice: number): Promise<void> {
    const time = this.#time;
    if (dice < 22) await time.advance(this.#whole(0, this.#pick([30, 300, 2000])));
    else if (dice < 28) await time.leap(this.#whole(1, this.#pick([100, 3000, 20_000])));
    else if (dice < 36) this.#change();
    else if (dice < 40) this.#commit();
    else if (dice < 45) this.#deliver();
    else if (dice < 63) this.#answer();
    else if (dice < 66) this.#tellLate();
    else if (dice < 69) this.#connect(this.#chance(0.7));
    else if (dice < 71) this.#makeUsable(this.#chance(0.6));
    else if (dice < 73)
      this.#scheduler.trust(this.#chance(0.6) ? Number.POSITIVE_INFINITY : time.monotonic());
    else if (dice < 85) this.#report();
    else if (dice < 88) this.#writing ??= this.#gate.take();
    else if (dice < 90) this.#checkpointed(this.#chance(0.8));
    else if (dice < 92) this.#load(this.#whole(1, 3));
    else if (dice < 96) await this.#crash();
    else if (dice < 97.5) await this.#stop();
    else if (this.#chance(this.#options.stepsBack)) {
      time.offset -= this.#whole(61_000, 90_000);
      this.#scheduler.wake();
    }
  }

  #begin(): void {
    const life = ++this.#life;
    const { watermark, exceptions, stamp } = this.#durable;
    this.#held = [];
    this.#pending = [];
    this.#commands = [];
    this.#reports = [];
    this.#open = null;
    this.#writing = null;
    this.#number = 0;
    this.#told = new Set();
    this.#intervals = new Map();
    this.#gate = new WatermarkGate({ watermark, exceptions }, Math.max(stamp, watermark));
    const time = this.#time;
    if (this.#options.paced && this.#chance(0.3)) this.#misfireAfter = this.#pick([ALWAYS, 700]);
    this.#scheduler = new Scheduler({
      clock: time,
      timers: {
        set: (callback, delay) => time.set(() => life === this.#life && callback(), delay),
        clear: (timer) => time.clear(timer),
      },
      random: () => 0.5,
      publish: (batch) => this.#publish(batch),
      batchesAtOnce: 3,
      exchange: '',
      tag: 'k3x9',
      misfireAfter: this.#misfireAfter,
      misfireBacklog: 1000,
      catchupRate: this.#options.paced && this.#chance(0.8) ? this.#pick([1, 5, 100]) : 0,
      limits: this.#limits,
      ...{ watermark, exceptions },
      trustedUntil: Number.POSITIVE_INFINITY,
      lease: LEASE,
      onReturned: () => {},
      onRefused: () => {},
    });
    this.#connect(true);
  }

  #publish(batch: PublishBatch): Promise<PublishAnswer> {
    const messages: Message[] = [];
    for (let position = 0; position < batch.count; position++) {
      const id = batch.ids[position]!;
      const time = batch.times[position]!;
      const interval = this.#intervals.get(id)!;
      const patience = Math.min(this.#misfireAfter, interval > 0 ? interval : ALWAYS);
      const own = this.#time.now() - time > patience ? 1 : 0;
      messages.push({
        ...{ batch: batch.number, position, id, time, ended: false },
        behind: batch.missed[position]! - own,
      });
      if (this.#settledBefore?.has(`${id}@${time}`))
        this.#fail(`${id}@${time - START} again after a clean stop`);
    }
    return new Promise((resolve) => {
      const answer = (outcomes: OutcomeCode[]) => {
        for (const [index, message] of messages.entries()) {
          if (outcomes[index] !== Outcome.pending) this.#ended(message, outcomes[index]!);
          else if (!message.ended) this.#pending.push(message);
        }
        const writtenAt = new Float64Array(batch.count);
        resolve({ threadId: 1, outcomes: Uint8Array.from(outcomes), writtenAt });
      };
      if (this.#obliging) answer(messages.map(() => Outcome.confirmed));
      else this.#held.push({ messages, answer });
    });
  }

  #ended(message: Message, outcome: OutcomeCode): void {
    if (message.ended) return;
    message.ended = true;
    if (outcome !== Outcome.confirmed) return;
    this.#arrive(message);
    this.#told.add(`${message.id}@${message.time}`);
  }

  #arrive({ id, time, behind }: Message): void {
    const interval = this.#intervals.get(id)!;
    timesOf(this.#came, id).add(time);
    for (let back = 0; back <= behind; back++) timesOf(this.#covered, id).add(time - back * interval);
  }

  #answer(): void {
    const [held] = this.#held.splice(this.#whole(0, Math.max(0, this.#held.length - 1)), 1);
    if (held === undefined) return;
    const bad = this.#chance(0.3);
    held.answer(held.messages.map(() => (bad ? this.#pick(TOLD) : Outcome.confirmed)));
  }

  #tellLate(): void {
    if (this.#pending.length > 0) {
      this.#settle(this.#pick(this.#pending), this.#pick([Outcome.confirmed, Outcome.lost]));
    }
  }

  #settle(message: Message, outcome: OutcomeCode): void {
    this.#pending = this.#pending.filter((other) => other !== message);
    this.#ended(message, outcome);
    this.#scheduler.hear({
      type: 'outcomes.settled',
      threadId: 1,
      batches: Float64Array.of(message.batch),
      positions: Uint32Array.of(message.position),
      outcomes: Uint8Array.of(outcome),
    });
  }

  #connect(connected: boolean): void {
    this.#scheduler.hear({
      type: 'connection.changed',
      threadId: 1,
      connected,
      reason: null,
      blocked: false,
    });
  }

  #makeUsable(usable: boolean): void {
    this.#scheduler.hear({ type: 'exchange.changed', threadId: 1, exchange: '', usable, reason: null });
  }

  /** A batch of changes gets its stamp; it may be committed at once, or later. */
  #change(): void {
    if (this.#open !== null) return;
    const stamp = this.#gate.open(this.#time.now());
    const changes: JobChange[] = [];
    for (let left = this.#whole(1, 2); left > 0; left--) {
      const changed = changes.map((change) => (change.op === 'upsert' ? change.row.id : change.id));
      const others = [...this.#rows.keys()].filter((id) => !changed.includes(id));
      if (this.#rows.size < JOBS && (others.length === 0 || this.#chance(0.5))) {
        changes.push(this.#put(this.#nextId++, 1, stamp));
      } else if (others.length > 0) {
        const id = this.#pick(others);
        const version = this.#rows.get(id)!.version + 1;
        changes.push(this.#chance(0.25) ? { op: 'remove', id } : this.#put(id, version, stamp));
      }
    }
    if (changes.length === 0) {
      this.#gate.rolledBack(stamp);
      return;
    }
    this.#open = { stamp, changes };
    if (this.#chance(0.3)) return;
    this.#commit();
    if (this.#chance(0.8)) this.#deliverAll();
  }

  #put(id: number, version: number, stamp: number): JobChange {
    const first = stamp + this.#whole(-3000, 4000);
    const shared = { intervalText: null, anchored: true };
    const schedule: Schedule = this.#chance(0.15)
      ? { kind: 'one_off', intervalMs: null, firstRun: Math.max(first, stamp), ...shared }
      : { kind: 'interval', intervalMs: this.#pick(INTERVALS), firstRun: first, ...shared };
    const routingKey = new TextEncoder().encode(id % 2 === 0 ? 'a' : 'b');
    const job = new TextEncoder().encode(String(id));
    return { op: 'upsert', row: { id, version, since: stamp, enabled: true, routingKey, job, schedule } };
  }

  /** The transaction that is open takes effect; a checkpoint may ride on it. */
  #commit(): void {
    if (this.#open === null) return;
    if (this.#chance(0.7)) this.#writing ??= this.#gate.take();
    const { stamp, changes } = this.#open;
    this.#open = null;
    this.#durable = { ...this.#durable, stamp };
    for (const change of changes) {
      if (change.op === 'upsert') this.#rows.set(change.row.id, change.row);
      else this.#rows.delete(change.id);
    }
    this.#checkpointed(true);
    this.#commands.push({ number: ++this.#number, changes });
    this.#gate.committed(stamp, this.#number);
  }

  /** The scheduler hears of a batch. */
  #deliver(): void {
    const command = this.#commands.shift();
    if (command === undefined) return;
    for (const change of command.changes) {
      if (change.op === 'remove') continue;
      this.#changedAt.set(change.row.id, this.#time.now());
      this.#intervals.set(change.row.id, intervalOf(change.row));
    }
    this.#scheduler.apply(command.number, command.changes);
  }

  #deliverAll(): void {
    while (this.#commands.length > 0) this.#deliver();
  }

  #report(): void {
    this.#reports.push(this.#scheduler.progress());
    this.#checkSettled(this.#reports.at(-1)!);
    if (this.#chance(0.8)) for (const report of this.#reports.splice(0)) this.#gate.report(report);
    if (this.#open !== null || this.#chance(0.2)) return;
    this.#writing ??= this.#gate.take();
    this.#checkpointed(true);
  }

  /** The row of a one-off that has settled would be deleted. */
  #checkSettled({ settledJobs }: Progress): void {
    for (const { id, version } of settledJobs) {
      const row = this.#rows.get(id);
      if (row === undefined || row.version !== version || row.schedule.kind !== 'one_off') continue;
      if (!this.#covered.get(id)?.has(row.schedule.firstRun))
        this.#fail(`one-off ${id} is settled, and never came`);
    }
  }

  /** What became of the checkpoint that is being written. */
  #checkpointed(committed: boolean): void {
    if (this.#writing === null) return;
    const { watermark, exceptions, exceptionsChanged } = this.#writing;
    this.#writing = null;
    if (committed) {
      const listed = exceptionsChanged ? Uint8Array.from(exceptions) : this.#durable.exceptions;
      this.#durable = { ...this.#durable, watermark, exceptions: listed };
    }
    this.#gate.finished(committed);
  }

  #load(count: number): void {
    if (this.#toLoad === null) this.#toLoad = [];
    for (const row of this.#toLoad.splice(0, count)) {
      if (!this.#intervals.has(row.id)) this.#intervals.set(row.id, intervalOf(row));
      this.#scheduler.load(row);
    }
    if (this.#toLoad.length > 0) return;
    this.#scheduler.finishLoad();
    this.#scheduler.wake();
  }

  async #crash(): Promise<void> {
    // Whether or not anybody was told, some of it is there.
    const out = [...this.#held.flatMap(({ messages }) => messages), ...this.#pending];
    for (const message of out) if (this.#chance(0.3)) this.#ended(message, Outcome.confirmed);
    if (this.#chance(0.5)) this.#commit();
    this.#checkpointed(this.#chance(0.5));
    this.#settledBefore = null;
    await this.#restart();
  }

  async #stop(): Promise<void> {
    this.#commit();
    this.#deliverAll();
    const stopped = this.#scheduler.stop(this.#time.monotonic() + 1000);
    for (const held of this.#held.splice(0)) {
      held.answer(held.messages.map(() => this.#pick([Outcome.confirmed, Outcome.nacked, Outcome.lost])));
      await settleMicrotasks();
    }
    for (const message of [...this.#pending]) {
      this.#settle(message, this.#pick([Outcome.confirmed, Outcome.nacked]));
    }
    await this.#time.advance(1001);
    const { progress, clean } = await stopped;
    this.#checkSettled(progress);
    for (const report of [...this.#reports, progress]) this.#gate.report(report);
    this.#checkpointed(true);
    const last = this.#gate.last();
    if (last !== null) {
      const { watermark, exceptions } = last;
      this.#durable = { ...this.#durable, watermark, exceptions: Uint8Array.from(exceptions) };
    }
    const all = new Set([...(this.#settledBefore ?? []), ...this.#told]);
    const isClean = clean && progress.frontier !== null && (last?.complete ?? true);
    this.#settledBefore = isClean ? all : null;
    await this.#restart();
  }

  async #restart(): Promise<void> {
    this.#life++;
    await this.#time.leap(this.#whole(0, this.#pick([50, 500, 10_000])));
    if (this.#chance(this.#options.stepsBack))
      this.#time.offset -= this.#whole(1, this.#pick([1000, 20_000]));
    this.#toLoad = [...this.#rows.values()].sort(() => this.#random() - 0.5);
    this.#begin();
    if (this.#chance(0.6)) this.#load(Number.POSITIVE_INFINITY);
  }

  /** All goes well from here on: what is owed must have come. */
  async #end(): Promise<void> {
    this.#commit();
    this.#deliverAll();
    this.#load(Number.POSITIVE_INFINITY);
    this.#obliging = true;
    for (const held of this.#held.splice(0)) held.answer(held.messages.map(() => Outcome.confirmed));
    await settleMicrotasks();
    for (const message of [...this.#pending]) this.#settle(message, Outcome.confirmed);
    this.#connect(true);
    this.#makeUsable(true);
    this.#scheduler.trust(Number.POSITIVE_INFINITY);
    await settleMicrotasks();
    await this.#time.leap(this.#options.stepsBack > 0 ? 413_000 : 13_000);
    for (let count = 0; count < (this.#options.paced ? 150 : 30); count++) await this.#time.advance(100);
    this.#checkSettled(this.#scheduler.progress());
    for (const row of this.#rows.values()) this.#judge(row);
  }

  #judge({ id, since, schedule }: JobRow): void {
    const until = this.#time.now() - 1000;
    const covered = timesOf(this.#covered, id);
    if (schedule.kind === 'one_off') {
      if (schedule.firstRun <= until && !covered.has(schedule.firstRun))
        this.#fail(`one-off ${id} never came`);
      return;
    }
    if (schedule.kind !== 'interval') throw new Error('a kind that this run does not make');
    const { intervalMs, firstRun } = schedule;
    const first = firstRun + Math.max(0, Math.ceil((since - firstRun) / intervalMs)) * intervalMs;
    const changedAt = this.#changedAt.get(id) ?? 0;
    for (let time = first; time <= until; time += intervalMs) {
      if (covered.has(time)) continue;
      // A later one may have run under the schedule before, and stands for it though it counts nothing.
      if (time <= changedAt && [...timesOf(this.#came, id)].some((it) => it >= time && it <= changedAt))
        continue;
      this.#fail(`${id}@${time - START} is lost`);
    }
  }

  #fail(fault: string): void {
    this.#fault ??= fault;
  }

  #whole(low: number, high: number): number {
    return low + Math.floor(this.#random() * (high - low + 1));
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)]!;
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }
}

function intervalOf({ schedule }: JobRow): number {
  return schedule.kind === 'interval' ? schedule.intervalMs : 0;
}

function timesOf(map: Map<number, Set<number>>, id: number): Set<number> {
  let value = map.get(id);
  if (value === undefined) {
    value = new Set();
    map.set(id, value);
  }
  return value;
}
