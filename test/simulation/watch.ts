import type { Oracle } from '../oracle/oracle.ts';
import type { Choices } from './choices.ts';
import type { Faults } from './faults.ts';
import type { Instance, Process } from './instance.ts';
import type { MysqlServer } from './mysql-server.ts';
import type { World } from './world.ts';

export type WatchOptions = {
  readonly world: World;
  readonly oracle: Oracle;
  readonly server: MysqlServer;
  readonly instances: readonly Instance[];
  readonly choices: Choices;
  readonly faults: () => Faults;
  readonly onProblem: (problem: string) => void;
};

/** How often it looks whether anything can be dispatched, ms. */
const SAMPLE = 50;

/** How long after a trouble with MySQL the first checkpoint may take, ms: pauses between attempts, and a deadline. */
const CHECKPOINT_AFTERMATH = 3500;

/** What is due and waits for so long is more than a moment's work, ms. */
const BACKLOG = 200;

/** How old a report of the scheduler may be, ms. */
const REPORTED_WITHIN = 500;

/** What any message between threads may take, ms. */
const SLOWEST_PORT = 40;

/** Watches from outside, and tells the oracle what was in the way, and what may come twice because of it. */
export class Watch {
  readonly #options: WatchOptions;
  #hinderedSince: number | null = 0;
  /** Of the first look, and of the last, while catch-ups waited for their rate. */
  #paced: { readonly from: number; to: number } | null = null;
  #epoch: unknown = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
    options.server.onCommit = () => this.#committed();
  }

  start(): void {
    this.#sample();
  }

  end(): void {
    this.#hindered(false);
    this.#tellPaced();
  }

  schedulerEnded(process: Process): void {
    const { world, oracle } = this.#options;
    oracle.ownerEnded(Math.max(process.clock.now(), process.schedulerNow()));
    if (process.takenOverAt !== null) {
      // Another one had taken over meanwhile, maybe more than once, and this one did not know.
      oracle.staleOwner({ from: world.unix(process.takenOverAt), to: world.unix() });
    }
    // Of a clean stop nothing may come twice.
    if (!process.stopping || process.scope.dead) this.mayRepeat(process);
  }

  /** What was confirmed since the last checkpoint that must have been written may come again. */
  mayRepeat(process: Process): void {
    const { world, oracle, choices, faults } = this.#options;
    const { now } = world;
    // The promise is for threads and a server that answer soon.
    const slow = SLOWEST_PORT + (choices.portDelay > 2 ? choices.portDelay : 0) + 10 * choices.mysqlLatency;
    const interval = choices.checkpointInterval + slow;
    let from = now - interval;
    const loaded = process.loadedAt ?? now;
    // What cannot be listed, or handed out, holds the watermark back.
    const { exceptions, unconfirmed } = choices.limits;
    const heldBack = Math.min(exceptions, unconfirmed) < choices.jobs;
    for (let changed = true; changed; ) {
      changed = false;
      // What is due and was not handed out yet holds it back too: publishers that are all busy with a broker in an alarm.
      const { backlogSince } = process;
      if (backlogSince !== null && backlogSince < now - BACKLOG && backlogSince - interval < from) {
        from = backlogSince - interval;
        changed = true;
      }
      if (process.loadingSince < from && (heldBack || loaded + interval + 200 >= from)) {
        from = process.loadingSince;
        changed = true;
      }
      for (const span of faults().checkpointTroubles) {
        if (span.from - interval >= from || span.to + CHECKPOINT_AFTERMATH < from) continue;
        from = span.from - interval;
        changed = true;
      }
    }
    oracle.mayRepeat({ from: world.unix(from), to: world.unix(now) });
  }

  /** A transaction took effect. */
  #committed(): void {
    const { world, server, instances, oracle, onProblem } = this.#options;
    const { state } = server.tables;
    world.trace(`mysql.committed ${state.batch} ${state.stamp} ${state.watermark}`);
    if (state.epoch === this.#epoch) return;
    this.#epoch = state.epoch;
    world.event('lease.taken over', String(state.owner_address));
    for (const { process, name } of instances) {
      if (process === null || process.scheduler === null) continue;
      if (`${name}:34006` === state.owner_address) continue;
      process.takenOverAt ??= world.now;
      if (process.stopping) continue;
      oracle.ownerEnded(Math.max(process.clock.now(), process.schedulerNow()));
      world.event('lease.two owners');
      // The lease is judged by MySQL's clock: when that steps forwards it ends early.
      if (world.counts.has('clocks stepped') || process.trustedUntil === Number.POSITIVE_INFINITY) continue;
      if (process.trustedUntil > world.now) {
        onProblem(`lease: ${name} still trusted it for ${process.trustedUntil - world.now} ms`);
      }
    }
  }

  #sample(): void {
    const { world, instances } = this.#options;
    for (const { process } of instances) {
      const counters = process?.tenure.ownerOrNull()?.counters;
      const isBehind = counters != null && counters.dueNow + counters.catchUpsWaiting > 0;
      if (process !== null) process.backlogSince = isBehind ? (process.backlogSince ?? world.now) : null;
    }
    const ready = instances.some(({ process }) => {
      if (process === null || process.scope.frozen) return false;
      const { reasons } = process.tenure.readiness();
      const isLoaded = process.scheduler !== null && !process.stopping && !('loading' in reasons);
      if (isLoaded && process.loadedAt === null) {
        process.loadedAt = world.now;
      }
      return !('ownership' in reasons || 'loading' in reasons || 'rabbitmq' in reasons);
    });
    this.#hindered(!ready);
    const waiting = instances.some(
      ({ process }) => (process?.tenure.ownerOrNull()?.counters?.catchUpsWaiting ?? 0) > 0,
    );
    if (waiting) {
      this.#paced ??= { from: world.now, to: world.now };
      this.#paced.to = world.now;
    } else this.#tellPaced();
    world.after(SAMPLE, () => this.#sample());
  }

  /** What waits is known from reports, which come a moment later. */
  #tellPaced(): void {
    if (this.#paced === null) return;
    const { from, to } = this.#paced;
    const { world } = this.#options;
    world.count('catch-ups were paced', 1);
    const margin = REPORTED_WITHIN + this.#options.choices.portDelay;
    this.#options.oracle.catchUpsPaced({ from: world.unix(from) - margin, to: world.unix(to) + margin });
    this.#paced = null;
  }

  #hindered(hindered: boolean): void {
    const { world, oracle } = this.#options;
    if (hindered) this.#hinderedSince ??= world.now - SAMPLE;
    else if (this.#hinderedSince !== null) {
      oracle.trouble({ from: world.unix(this.#hinderedSince), to: world.unix() });
      this.#hinderedSince = null;
    }
  }
}
