import type { Timers } from '../../src/clock.ts';
import { decodeExceptions } from '../../src/job/exceptions.ts';
import type { JobRow, Schedule } from '../../src/job/job.ts';
import type { JobChange } from '../../src/protocol/main-scheduler.ts';
import {
  Outcome,
  type OutcomeCode,
  type PublishAnswer,
  type PublishBatch,
} from '../../src/protocol/scheduler-publisher.ts';
import { isTaken } from '../../src/scheduler-thread/occurrences.ts';
import { Scheduler } from '../../src/scheduler-thread/scheduler.ts';
import { ManualTime, settleMicrotasks } from '../helpers/manual-time.ts';
import type { Command } from './commands.ts';
import { ScheduleModel } from './schedule-model.ts';

const START = 1_800_000_000_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A message that a publisher has; `ended` once its outcome was told. */
type Message = { batch: number; position: number; id: number; time: number; ended: boolean };
type Held = {
  messages: Message[];
  answer: (outcomes: OutcomeCode[]) => void;
  crash: () => void;
};
/** What is durable of the progress. */
type Checkpoint = { watermark: number; exceptions: Uint8Array; confirmed: string[] };

/**
 * The real scheduler on a clock of the test, beside the model of it. After each command, and at each message, both
 * are compared: whatever the scheduler does that the model does not explain is an error.
 */
export class ModelStage {
  /** How often each thing happened, so that a test can tell that it did. */
  readonly happened = new Map<string, number>();
  readonly #time = new ManualTime(START);
  readonly #model = new ScheduleModel();
  /** By name, the job that has it now. */
  readonly #ids = new Map<number, number>();
  /** Settled jobs as main has been told of them, by id. */
  #settled = new Map<number, number>();
  #checkpoint: Checkpoint = { watermark: 0, exceptions: new Uint8Array(0), confirmed: [] };
  /** Rows of the snapshot that have not come in; null once all is loaded. */
  #toLoad: JobRow[] | null = [];
  #held: Held[] = [];
  #late: Message[] = [];
  #scheduler: Scheduler;
  #dispatched = 0;
  #nextId = 1;
  #lastStamp = START - 1000;
  #batch = 0;
  #thread = 1;
  /** Grows when a process ends, and when one begins. */
  #process = 0;
  /** Confirms everything at once. */
  #obliging = false;
  /** An error of the publisher's callback, which the scheduler would take for a lost thread. */
  #error: Error | null = null;

  constructor() {
    this.#scheduler = this.#begin();
  }

  /** @param loaded whether the table was loaded before the first command */
  async run(commands: readonly Command[], loaded: boolean): Promise<void> {
    if (loaded) this.#load(0);
    for (const command of commands) {
      await this.#do(command);
      await settleMicrotasks();
      this.#check();
    }
    await this.#settleAll();
  }

  #count(what: string): void {
    this.happened.set(what, (this.happened.get(what) ?? 0) + 1);
  }

  #begin(): Scheduler {
    const { watermark, exceptions } = this.#checkpoint;
    this.#held = [];
    this.#late = [];
    this.#settled = new Map();
    this.#dispatched = 0;
    // What the timers of a process that was killed would have done does not happen.
    const process = ++this.#process;
    const isAlive = () => this.#process === process;
    const timers: Timers = {
      set: (callback, delay) => this.#time.set(() => isAlive() && callback(), delay),
      clear: (timer) => this.#time.clear(timer),
    };
    const scheduler = new Scheduler({
      clock: this.#time,
      timers,
      random: () => 0.5,
      publish: (batch) => this.#publish(batch),
      batchesAtOnce: 3,
      exchange: '',
      tag: 'k3x9',
      misfireAfter: 60_000,
      misfireBacklog: 1000,
      watermark,
      exceptions,
      trustedUntil: Number.POSITIVE_INFINITY,
      lease: 5000,
      onReturned: () => {},
      onRefused: () => {},
    });
    this.#scheduler = scheduler;
    this.#connect(true);
    return scheduler;
  }

  async #do(command: Command): Promise<void> {
    const now = this.#time.now();
    switch (command.do) {
      case 'pass':
        return this.#time.advance(command.ms);
      case 'stall':
        return this.#time.leap(command.ms);
      case 'put':
        return this.#put(command);
      case 'touch':
        return this.#change(command.name, (row) => ({ ...row, routingKey: encoder.encode(command.key) }));
      case 'pause':
        return this.#change(command.name, (row) => (row.enabled ? { ...row, enabled: false } : null));
      case 'resume': {
        const since = this.#stamp(command.lag);
        return this.#change(command.name, (row) => (row.enabled ? null : resumed(row, since)));
      }
      case 'remove':
        return this.#remove(this.#ids.get(command.name));
      case 'delete settled':
        for (const [id, version] of this.#settled) {
          // By id and version: any other change in between wins.
          if (this.#model.rows.get(id)?.version === version) this.#remove(id);
        }
        this.#settled.clear();
        return;
      case 'answer':
        return this.#answer(command.batch, command.outcomes);
      case 'report':
        return this.#report(command.message, command.outcome);
      case 'lose the thread':
        return this.#loseThread();
      case 'connect':
        return this.#connect(command.connected);
      case 'exchange':
        return this.#setUsable(command.usable);
      case 'trust':
        return this.#scheduler.trust(this.#time.monotonic() + command.ms);
      case 'checkpoint':
        return this.#writeCheckpoint(this.#scheduler.progress());
      case 'crash':
        this.#count('crash');
        this.#model.restart(this.#checkpoint.confirmed);
        return this.#restart(command);
      case 'stop':
        return this.#stop(command, now);
      case 'load':
        return this.#load(command.rows);
    }
  }

  /** A stamp: above every earlier one, not below any durable watermark, and perhaps given a while ago. */
  #stamp(lag: number): number {
    this.#lastStamp = Math.max(this.#lastStamp + 1, this.#checkpoint.watermark, this.#time.now() - lag);
    return this.#lastStamp;
  }

  #put(command: Extract<Command, { do: 'put' }>): void {
    const stamp = this.#stamp(command.lag);
    const align = (time: number) => (command.aligned ? Math.round(time / 10) * 10 : time);
    const first = align(stamp + command.offset);
    const schedule: Schedule = command.oneOff
      ? {
          kind: 'one_off',
          intervalMs: null,
          intervalText: null,
          firstRun: Math.max(first, stamp),
          anchored: true,
        }
      : {
          kind: 'interval',
          intervalMs: command.interval,
          intervalText: null,
          firstRun: first,
          anchored: true,
        };
    const id = this.#ids.get(command.name);
    const known = id === undefined ? undefined : this.#model.rows.get(id);
    if (known !== undefined) {
      this.#count('planned anew');
      this.#apply({ op: 'upsert', row: { ...known, schedule, since: stamp, version: known.version + 1 } });
      return;
    }
    const row: JobRow = {
      id: this.#nextId++,
      version: 1,
      since: stamp,
      enabled: true,
      routingKey: encoder.encode('a'),
      job: encoder.encode(String(command.name)),
      schedule,
    };
    this.#ids.set(command.name, row.id);
    this.#apply({ op: 'upsert', row });
  }

  #change(name: number, change: (row: JobRow) => JobRow | null): void {
    const row = this.#model.rows.get(this.#ids.get(name) ?? -1);
    const changed = row === undefined ? null : change(row);
    if (changed !== null) this.#apply({ op: 'upsert', row: { ...changed, version: changed.version + 1 } });
  }

  #remove(id: number | undefined): void {
    const row = this.#model.rows.get(id ?? -1);
    if (row !== undefined) this.#apply({ op: 'remove', id: row.id });
  }

  #apply(change: JobChange): void {
    if (this.#held.length > 0 || this.#late.length > 0) this.#count('changed while something is out');
    if (change.op === 'upsert') this.#model.rows.set(change.row.id, change.row);
    else this.#model.rows.delete(change.id);
    this.#scheduler.apply(++this.#batch, [change]);
  }

  #publish(batch: PublishBatch): Promise<PublishAnswer> {
    const messages: Message[] = [];
    for (let position = 0; position < batch.count; position++) {
      const id = batch.ids[position]!;
      const time = batch.times[position]!;
      this.#dispatched++;
      const objection = this.#model.objection(id, time, this.#time.now()) ?? this.#compare(batch, position);
      if (objection !== null) this.#error ??= new Error(`${id} was sent for ${time}: ${objection}`);
      this.#model.sent(id, time);
      messages.push({ batch: batch.number, position, id, time, ended: false });
    }
    return new Promise((resolve, reject) => {
      const held: Held = {
        messages,
        answer: (outcomes) => {
          for (const [place, message] of messages.entries()) {
            if (outcomes[place] === Outcome.pending) {
              if (!message.ended) this.#late.push(message);
            } else this.#end(message, outcomes[place]!);
          }
          const writtenAt = new Float64Array(batch.count);
          resolve({ threadId: this.#thread, outcomes: Uint8Array.from(outcomes), writtenAt });
        },
        crash: () => {
          for (const message of messages) this.#end(message, Outcome.lost);
          reject(new Error('the thread has ended'));
        },
      };
      if (this.#obliging) held.answer(messages.map(() => Outcome.confirmed));
      else this.#held.push(held);
    });
  }

  /** A message is sent as its job is now. */
  #compare(batch: PublishBatch, position: number): string | null {
    const row = this.#model.rows.get(batch.ids[position]!)!;
    const key = batch.routes[batch.routeOf[position]!]!.routingKey;
    return key === decoder.decode(row.routingKey) ? null : `with the routing key ${key}`;
  }

  /** The first outcome of a message counts. */
  #end(message: Message, outcome: OutcomeCode): void {
    if (message.ended) return;
    message.ended = true;
    const confirmed = isTaken(outcome);
    this.#count(confirmed ? 'confirmed' : 'failed');
    const { id, time } = message;
    if (!this.#model.owes(id, time)) this.#count('an outcome of what is not owed any more');
    this.#model.ended(id, time, confirmed);
  }

  #answer(which: number, outcomes: readonly OutcomeCode[]): void {
    const [held] = this.#held.splice(which % Math.max(this.#held.length, 1), 1);
    held?.answer(held.messages.map((_message, place) => outcomes[place % outcomes.length]!));
  }

  /** A late outcome, or one that comes before its batch's answer. */
  #report(which: number, outcome: OutcomeCode): void {
    const open = [...this.#late, ...this.#held.flatMap(({ messages }) => messages)].filter(
      ({ ended }) => !ended,
    );
    const message = open[which % Math.max(open.length, 1)];
    if (message === undefined) return;
    this.#end(message, outcome);
    this.#late = this.#late.filter((other) => other !== message);
    this.#scheduler.hear({
      type: 'outcomes.settled',
      threadId: this.#thread,
      batches: Float64Array.of(message.batch),
      positions: Uint32Array.of(message.position),
      outcomes: Uint8Array.of(outcome),
    });
  }

  async #loseThread(): Promise<void> {
    this.#count('a thread lost');
    for (const held of this.#held.splice(0)) held.crash();
    for (const message of this.#late.splice(0)) this.#end(message, Outcome.lost);
    this.#scheduler.loseThread(this.#thread++);
    await settleMicrotasks();
  }

  #connect(connected: boolean): void {
    const reason = connected ? null : 'away';
    const report = { threadId: this.#thread, connected, blocked: false, reason, fatal: false };
    this.#scheduler.hear({ type: 'connection.changed', ...report });
  }

  #setUsable(usable: boolean): void {
    const report = { threadId: this.#thread, exchange: '', usable, reason: null };
    this.#scheduler.hear({ type: 'exchange.changed', ...report });
  }

  #writeCheckpoint({ frontier, exceptions }: { frontier: number | null; exceptions: Uint8Array }): void {
    if (frontier === null) return;
    const watermark = Math.max(frontier, this.#checkpoint.watermark);
    this.#checkpoint = { watermark, exceptions, confirmed: this.#model.confirmedBefore(watermark) };
  }

  async #stop(command: Extract<Command, { do: 'stop' }>, now: number): Promise<void> {
    const stopped = this.#scheduler.stop(this.#time.monotonic() + 1000);
    for (const message of this.#late.splice(0)) {
      this.#late.push(message);
      this.#report(0, command.outcomes[0]!);
    }
    while (this.#held.length > 0) this.#answer(0, command.outcomes);
    await settleMicrotasks();
    const { progress, clean } = await stopped;
    if (progress.frontier === null) {
      this.#model.restart(this.#checkpoint.confirmed);
      return this.#restart(command);
    }
    this.#count('a clean stop');
    if (!clean) throw new Error('not clean, though all was answered');
    if (progress.frontier <= now) throw new Error('what ran before the stop would run again');
    this.#checkSound(progress);
    this.#writeCheckpoint(progress);
    // All confirms: none of them may be repeated after a clean stop.
    this.#model.restart(this.#model.confirmed);
    this.#checkpoint.confirmed = [...this.#model.confirmed];
    return this.#restart(command);
  }

  /** Another process goes on from the checkpoint: the table's rows come in whatever order. */
  async #restart({ ms, shuffle }: { ms: number; shuffle: number }): Promise<void> {
    this.#process++;
    await this.#time.leap(ms);
    const rows = [...this.#model.rows.values()];
    for (let turn = 0; turn < shuffle && rows.length > 0; turn++)
      rows.push(rows.splice(turn % rows.length, 1)[0]!);
    this.#toLoad = rows;
    this.#begin();
  }

  #load(count: number): void {
    if (this.#toLoad === null) return;
    for (const row of this.#toLoad.splice(0, count)) this.#scheduler.load(row);
    if (this.#toLoad.length > 0) return;
    this.#toLoad = null;
    this.#scheduler.finishLoad();
    this.#scheduler.wake();
  }

  #check(): void {
    if (this.#error !== null) throw this.#error;
    const progress = this.#scheduler.progress();
    this.#checkSound(progress);
    const { due, confirmed, returned, superseded, skipped, cancelled, inFlight, heldBack, dispatched } =
      progress.counters;
    if (due !== confirmed + returned + superseded + skipped + cancelled + inFlight + heldBack) {
      throw new Error(`the counters do not balance: ${JSON.stringify(progress.counters)}`);
    }
    if (dispatched !== this.#dispatched) throw new Error(`${this.#dispatched} sent, ${dispatched} counted`);
    for (const { id, version } of progress.settledJobs) this.#noteSettled(id, version);
  }

  /** Every unsettled occurrence before the frontier is listed; what is listed is owed, unsettled, and listed once. */
  #checkSound({ frontier, exceptions }: { frontier: number | null; exceptions: Uint8Array }): void {
    const now = this.#time.now();
    const { ids, times } = decodeExceptions(exceptions);
    const listed = new Set<string>();
    for (const [place, id] of ids.entries()) {
      const time = times[place]!;
      const name = `${id} at ${time}`;
      if (listed.has(name)) throw new Error(`${name} is listed twice`);
      listed.add(name);
      if (!this.#model.owes(id, time)) throw new Error(`${name} is listed, and is not owed`);
      if (this.#model.isConfirmed(id, time)) throw new Error(`${name} is listed, and was confirmed`);
    }
    if (frontier === null) return;
    if (frontier > now + 1) throw new Error(`the frontier ${frontier} is ahead of ${now}`);
    for (const row of this.#model.rows.values()) {
      const time = this.#model.unsettled(row, now);
      if (time !== null && time < frontier && !listed.has(`${row.id} at ${time}`)) {
        throw new Error(`${row.id} at ${time} is unsettled, before the frontier ${frontier}, and not listed`);
      }
    }
  }

  /** Main is told to delete a row: what the row owes must be settled. */
  #noteSettled(id: number, version: number): void {
    const row = this.#model.rows.get(id);
    if (row?.version !== version) return;
    this.#count('a one-off settled');
    if (row.schedule.kind !== 'one_off') throw new Error(`${id} is settled for good, and goes on`);
    const { firstRun } = row.schedule;
    if (!this.#model.isConfirmed(id, firstRun))
      throw new Error(`${id} is settled for good, and was never confirmed`);
    this.#settled.set(id, version);
  }

  /** All faults end: whatever is owed must run, and one-offs that have run must be told. */
  async #settleAll(): Promise<void> {
    this.#load(Number.POSITIVE_INFINITY);
    this.#obliging = true;
    for (const held of this.#held.splice(0)) held.answer(held.messages.map(() => Outcome.confirmed));
    while (this.#late.length > 0) this.#report(0, Outcome.confirmed);
    this.#connect(true);
    this.#setUsable(true);
    this.#scheduler.trust(Number.POSITIVE_INFINITY);
    await settleMicrotasks();
    // The longest backoff is 12.5 s. What is refused no more then needs no time.
    await this.#time.leap(13_000);
    await this.#time.advance(0);
    this.#check();
    for (const row of this.#model.rows.values()) {
      const time = this.#model.unsettled(row, this.#time.now());
      if (time !== null) throw new Error(`${row.id} at ${time} is lost`);
      const over =
        row.enabled && row.schedule.kind === 'one_off' && row.schedule.firstRun <= this.#time.now();
      if (over && this.#settled.get(row.id) !== row.version)
        throw new Error(`${row.id} has run, and its row stays`);
    }
  }
}

/** A one-off whose time is past runs with the stamp as its scheduled time. */
function resumed(row: JobRow, since: number): JobRow {
  const firstRun = Math.max(row.schedule.firstRun, since);
  const schedule = row.schedule.kind === 'one_off' ? { ...row.schedule, firstRun } : row.schedule;
  return { ...row, enabled: true, since, schedule };
}
