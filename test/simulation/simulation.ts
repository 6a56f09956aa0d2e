import { type Config, loadConfig } from '../../src/config.ts';
import { decodeExceptions } from '../../src/job/exceptions.ts';
import { type BreakageName, createBreakage } from '../breakages/breakages.ts';
import { Oracle, type Report } from '../oracle/oracle.ts';
import { BrokerServer } from './broker.ts';
import { Clients, planOfRow } from './clients.ts';
import { Faults } from './faults.ts';
import { Instance, type Process } from './instance.ts';
import { MysqlServer } from './mysql-server.ts';
import { SimulatedPublishers } from './publishers.ts';
import { WallClock } from './scope.ts';
import { type Row, Tables } from './tables.ts';
import { EPOCH, World } from './world.ts';

export type SimulationOptions = {
  readonly seed: number;
  readonly breakage?: BreakageName | undefined;
  readonly show?: (line: string) => void;
};

export type Outcome = {
  readonly seed: number;
  readonly hash: string;
  readonly counts: ReadonlyMap<string, number>;
  readonly report: Report;
  /** What is wrong, one line each; empty when all is well. */
  readonly problems: readonly string[];
};

/** ms of virtual time. */
const SAFETY = 25_000;
const LIVENESS = 45_000;
const LAST_WORDS = 1500;
const SAMPLE = 50;

export async function simulate(options: SimulationOptions): Promise<Outcome> {
  return new Simulation(options).run();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #world: World;
  readonly #oracle: Oracle;
  readonly #server: MysqlServer;
  readonly #broker: BrokerServer;
  readonly #instances: Instance[];
  readonly #clients: Clients;
  readonly #faults: Faults;
  readonly #config: Config;
  readonly #problems: string[] = [];
  #hinderedSince: number | null = 0;
  #takenOverAt = 0;
  #over = false;

  constructor(options: SimulationOptions) {
    this.#options = options;
    SimulatedPublishers.reset();
    const world = new World(options.seed, options.show ?? null);
    this.#world = world;
    this.#config = configure(world);
    const skew = world.chance(0.2) ? world.between(0, 20_000) : 0;
    const step = world.chance(0.08) ? world.between(61_000, 600_000) : 0;
    this.#oracle = new Oracle({
      ...{ lateAfter: 1000, misfireAfter: this.#config.misfireAfter },
      ...{ inFlight: 0, inFlightReplaced: 1500, clockTolerance: skew * 2 + step + 3000 },
    });
    this.#server = new MysqlServer(world, new Tables(firstState()));
    this.#broker = new BrokerServer(world, this.#oracle);
    const slowPort = world.chance(0.25) ? 60 : 1.5;
    const names = world.chance(0.35) ? ['a', 'b'] : ['a'];
    this.#instances = names.map(
      (name) =>
        new Instance({
          ...{ world, name, config: this.#config, server: this.#server, broker: this.#broker },
          wall: new WallClock(world, world.between(-skew, skew), 0),
          breakage: (context) =>
            options.breakage === undefined ? {} : createBreakage(options.breakage, context),
          portDelay: () => (world.chance(0.01) ? world.between(1, 40) : world.between(0.03, slowPort)),
          loadBreaks: () => this.#faults.loadBreaks,
          onSchedulerEnd: (instance, process) => this.#schedulerEnded(instance, process),
          onFailed: (instance, reason) => {
            world.event('process.failed', `${instance.name} ${reason}`);
            this.#kill(instance, world.between(100, 1000));
          },
        }),
    );
    const routes = world.whole(2, 4);
    this.#server.latency = world.chance(0.2) ? 8 : 1;
    const shared = { world, oracle: this.#oracle, server: this.#server, instances: this.#instances, routes };
    this.#clients = new Clients({
      ...{ ...shared, jobs: world.whole(8, 24), pause: world.pick([60, 200, 600]) },
      atOnce: world.pick([0.1, 0.1, 0.7]),
      settledAt: EPOCH + SAFETY + 8000,
    });
    this.#faults = new Faults({
      ...{ ...shared, broker: this.#broker, step, until: SAFETY, pause: world.pick([400, 1200, 3000]) },
      supervise: {
        kill: (instance, downtime) => this.#kill(instance, downtime),
        stop: (instance, downtime) => this.#stop(instance, downtime),
      },
    });
    this.#server.onCommit = () => this.#committed();
  }

  async run(): Promise<Outcome> {
    const world = this.#world;
    for (const [index, instance] of this.#instances.entries()) {
      world.after(index * world.between(0, 4000), () => instance.start(), true);
    }
    this.#sample();
    this.#clients.start();
    this.#faults.start();
    await world.run(SAFETY);
    world.trace('the faults are over');
    this.#over = true;
    this.#faults.end();
    this.#clients.stop();
    for (const instance of this.#instances) if (instance.process === null) instance.start();
    await world.run(SAFETY + 2000);
    await world.run(SAFETY + LIVENESS, () => this.#isSettled());
    if (!this.#isSettled()) this.#problems.push(`not settled: ${this.#whatIsOpen()}`);
    const until = this.#owner()?.clock.now() ?? EPOCH + world.now;
    await world.run(world.now + LAST_WORDS);
    return this.#judge(until);
  }

  #judge(until: number): Outcome {
    const world = this.#world;
    this.#hindered(false);
    const report = this.#oracle.judge(until);
    for (const { verdict, job, scheduledAt, detail } of report.findings) {
      this.#problems.push(`${verdict}: ${job} at ${scheduledAt} (${scheduledAt - EPOCH}): ${detail}`);
    }
    this.#checkRows(until);
    for (const [name, count] of Object.entries(report.counts)) world.count(`oracle.${name}`, count);
    world.trace(`judged ${JSON.stringify(report.counts)}`);
    return {
      ...{ seed: this.#options.seed, hash: world.hash, counts: world.counts, report },
      problems: this.#problems,
    };
  }

  /** What is stored is what was answered. */
  #checkRows(until: number): void {
    const rows = new Map([...this.#server.tables.jobs.values()].map((row) => [row.key_hex, row]));
    for (const { name, keyHex, stored, unresolved } of this.#clients.jobs) {
      const row = rows.get(keyHex);
      if (unresolved !== null) continue;
      const once = stored?.intervalMs === 0 ? (stored.firstRun as number) : Number.POSITIVE_INFINITY;
      // It is deleted a while after it ran.
      if (once >= until - 3000 && once <= until + LAST_WORDS) continue;
      const should = stored !== null && once > until;
      if (should && row === undefined) this.#problems.push(`row: ${name} is gone`);
      if (!should && row !== undefined) this.#problems.push(`row: ${name} is still there`);
      if (should && row !== undefined && planOfRow(row).since !== stored.since) {
        this.#problems.push(`row: ${name} is another version`);
      }
    }
    const counters = this.#owner()?.tenure.ownerOrNull()?.counters;
    if (!counters) return;
    const { due, confirmed, returned, superseded, cancelled, inFlight, heldBack } = counters;
    const settled = confirmed + returned + superseded + cancelled;
    if (due !== settled + inFlight + heldBack) {
      this.#problems.push(`balance: due ${due}, settled ${settled}, in flight ${inFlight}, held ${heldBack}`);
    }
  }

  #owner(): Process | null {
    return this.#instances.find(({ process }) => process?.tenure.ownerOrNull())?.process ?? null;
  }

  #isSettled(): boolean {
    return this.#whatIsOpen() === '';
  }

  #whatIsOpen(): string {
    const owner = this.#owner();
    if (owner === null) return 'no instance owns the table';
    if (!owner.tenure.readiness().ready) return JSON.stringify(owner.tenure.readiness().reasons);
    const counters = owner.tenure.ownerOrNull()?.counters;
    if (!counters) return 'nothing was reported';
    if (counters.inFlight + counters.heldBack > 0) {
      return `${counters.inFlight} in flight, ${counters.heldBack} held back`;
    }
    const exceptions = decodeExceptions(this.#server.tables.state.exceptions as Uint8Array).ids.length;
    if (exceptions > 0) return `${exceptions} exceptions`;
    return this.#clients.resolveAll() ? '' : 'a change is not answered';
  }

  #kill(instance: Instance, downtime: number): void {
    const { process } = instance;
    if (process === null) return;
    // A stop that was broken off leaves no last checkpoint.
    if (process.stopping && process.loadingSince > 0) this.#mayRepeat(process);
    this.#world.event('process.killed', instance.name);
    instance.kill();
    this.#restart(instance, downtime);
  }

  #restart(instance: Instance, downtime: number): void {
    this.#world.after(
      this.#over ? Math.min(downtime, 500) : downtime,
      () => {
        if (instance.process === null) instance.start();
      },
      true,
    );
  }

  #stop(instance: Instance, downtime: number): void {
    const process = instance.process!;
    if (process.stopping) return;
    process.stopping = true;
    const owned = process.scheduler !== null;
    const deadline = this.#world.now + this.#config.stopTimeout;
    process.scope.after(0, () => {
      void process.tenure.close(deadline).then((clean) => {
        if (instance.process !== process) return;
        this.#world.event(clean ? 'process.stopped clean' : 'process.stopped unclean', instance.name);
        if (owned && !clean) this.#mayRepeat(process);
        instance.kill();
        this.#restart(instance, downtime);
      });
    });
  }

  #schedulerEnded(_instance: Instance, process: Process): void {
    this.#oracle.ownerEnded(Math.max(process.clock.now(), process.schedulerNow()));
    if (this.#takenOverAt > process.loadingSince) {
      // Another one had taken over meanwhile, and this one did not know.
      this.#oracle.staleOwner({ from: EPOCH + this.#takenOverAt, to: EPOCH + this.#world.now });
    }
    if (!process.stopping || process.scope.dead) this.#mayRepeat(process);
  }

  /** What was confirmed since the last checkpoint that must have been written may come again. */
  #mayRepeat(process: Process): void {
    const { now } = this.#world;
    const interval = this.#config.checkpointInterval;
    let from = now - interval;
    const loaded = process.loadedAt ?? now;
    if (loaded + interval + 200 >= from) from = Math.min(from, process.loadingSince);
    for (let changed = true; changed; ) {
      changed = false;
      for (const span of this.#faults.checkpointTroubles) {
        if (span.from - interval >= from || span.to + 3500 < from) continue;
        from = span.from - interval;
        changed = true;
      }
    }
    this.#oracle.mayRepeat({ from: EPOCH + from, to: EPOCH + now });
  }

  /** A transaction took effect. */
  #committed(): void {
    const { state } = this.#server.tables;
    this.#world.trace(`mysql.committed ${state.batch} ${state.stamp} ${state.watermark}`);
    if (state.epoch === this.#epoch) return;
    this.#epoch = state.epoch;
    this.#world.event('lease.taken over', String(state.owner_address));
    this.#takenOverAt = this.#world.now;
    for (const { process, name } of this.#instances) {
      if (process === null || process.scheduler === null || process.stopping) continue;
      if (`${name}:34006` === state.owner_address) continue;
      this.#oracle.ownerEnded(Math.max(process.clock.now(), process.schedulerNow()));
      this.#world.event('lease.two owners');
      // The lease is judged by MySQL's clock: when that steps forwards it ends early.
      if (this.#world.counts.has('clocks stepped') || process.trustedUntil === Number.POSITIVE_INFINITY)
        continue;
      if (process.trustedUntil > this.#world.now) {
        this.#problems.push(
          `lease: ${name} still trusted it for ${process.trustedUntil - this.#world.now} ms`,
        );
      }
    }
  }

  #epoch: unknown = 0;

  /** Watches from outside whether dispatch can go on. */
  #sample(): void {
    const ready = this.#instances.some(({ process }) => {
      if (process === null || process.scope.frozen) return false;
      const { reasons } = process.tenure.readiness();
      if (process.scheduler !== null && process.loadedAt === null && !('loading' in reasons)) {
        process.loadedAt = this.#world.now;
      }
      return !('ownership' in reasons || 'loading' in reasons || 'rabbitmq' in reasons);
    });
    this.#hindered(!ready);
    this.#world.after(SAMPLE, () => this.#sample());
  }

  #hindered(hindered: boolean): void {
    const { now } = this.#world;
    if (hindered) this.#hinderedSince ??= now - SAMPLE;
    else if (this.#hinderedSince !== null) {
      this.#oracle.trouble({ from: EPOCH + this.#hinderedSince, to: EPOCH + now });
      this.#hinderedSince = null;
    }
  }
}

function firstState(): Row {
  return {
    ...{ epoch: 0, owner: null, owner_host: null, owner_address: null, owner_connection: null, lease_ms: 0 },
    ...{ lease_until: null, renewals: 0, tag: 'sim0', watermark: 0, exceptions: new Uint8Array(0) },
    ...{ stamp: 0, next_id: 1, batch: 0 },
  };
}

function configure(world: World): Config {
  return {
    http: loadConfig({ env: {}, args: [] }).config.http,
    mysql: { host: 'sim', port: 3306, user: 'root', password: '', database: 'test', table: 'dalga' },
    rabbitmq: { host: 'sim', port: 5672, user: 'guest', password: '', vhost: '/', exchange: '' },
    createTableAtStart: false,
    debug: false,
    lease: world.pick([2000, 3000, 5000]),
    withoutLease: world.chance(0.7) ? 'publish' : 'stop',
    checkpointInterval: world.pick([100, 500, 500, 500, 1000]),
    stopTimeout: 8000,
    misfireAfter: 60_000,
    publisherThreads: world.pick([1, 2]),
    memoryLimit: 1_000_000_000,
  };
}
