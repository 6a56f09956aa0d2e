import { decodeExceptions } from '../../src/job/exceptions.ts';
import { type BreakageName, createBreakage } from '../breakages/breakages.ts';
import { Oracle, type Plan, type Report } from '../oracle/oracle.ts';
import { BrokerServer } from './broker.ts';
import { type Choices, choose, configOf } from './choices.ts';
import { Clients, planOfRow } from './clients.ts';
import { Faults } from './faults.ts';
import { Instance, type Process } from './instance.ts';
import { MysqlServer } from './mysql-server.ts';
import { SimulatedPublishers } from './publishers.ts';
import { WallClock } from './scope.ts';
import { SpanClients } from './span-clients.ts';
import { type Row, Tables } from './tables.ts';
import { Watch } from './watch.ts';
import { World } from './world.ts';

export type SimulationOptions = {
  readonly seed: number;
  readonly breakage?: BreakageName | undefined;
  /** What is not left to chance. */
  readonly focus?: Partial<Choices> | undefined;
  readonly show?: ((line: string) => void) | undefined;
};

export type Outcome = {
  readonly seed: number;
  readonly hash: string;
  readonly counts: ReadonlyMap<string, number>;
  readonly report: Report;
  /** What is wrong, one line each; empty when all is well. */
  readonly problems: readonly string[];
};

/** With faults, ms of virtual time; and then without, at most. */
const SAFETY = 25_000;
const LIVENESS = 45_000;
/** What comes too late to be judged as missing may still be one too many, ms. */
const LAST_WORDS = 1500;
/** How long after its run a one-off's row may still be there at the end, ms. */
const DELETION_PATIENCE = 3000;
const STOP_TIMEOUT = 8000;

/**
 * One run: the real parts of Dalga in simulated processes, over simulated servers, with clients that change jobs. A
 * safety phase with faults, then a liveness phase without, in which all must settle.
 */
export function simulate(options: SimulationOptions): Promise<Outcome> {
  return new Simulation(options).run();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #world: World;
  readonly #oracle: Oracle;
  readonly #server: MysqlServer;
  readonly #instances: Instance[];
  readonly #clients: Clients;
  readonly #spanClients: SpanClients;
  readonly #faults: Faults;
  readonly #watch: Watch;
  readonly #problems: string[] = [];
  #over = false;
  #out = false;

  constructor(options: SimulationOptions) {
    this.#options = options;
    SimulatedPublishers.reset();
    const world = new World(options.seed, options.show ?? null);
    this.#world = world;
    const choices = choose(world, options.focus ?? {});
    world.calendar = choices.calendar;
    const config = configOf(choices);
    const { skew, step, limits, batchesAtOnce } = choices;
    this.#oracle = new Oracle({
      ...{ lateAfter: 1000, misfireAfter: config.misfireAfter, inFlight: 0, inFlightReplaced: 1500 },
      clockTolerance: skew * 2 + step + 3000,
      staleAfter: skew * 2 + step + 5000,
    });
    const oracle = this.#oracle;
    const server = new MysqlServer(world, new Tables(firstState()));
    this.#server = server;
    server.latency = choices.mysqlLatency;
    const broker = new BrokerServer(world, oracle);
    const portDelay = () =>
      world.chance(0.01) ? world.between(1, 40) : world.between(0.03, choices.portDelay);
    const names = choices.instances === 2 ? ['a', 'b'] : ['a'];
    this.#instances = names.map(
      (name) =>
        new Instance({
          ...{ world, name, config, limits, batchesAtOnce, server, broker, portDelay },
          wall: new WallClock(world, world.between(-skew, skew), 0),
          breakage: (context) =>
            options.breakage === undefined ? {} : createBreakage(options.breakage, context),
          loadBreaks: () => this.#faults.loadBreaks,
          onSchedulerEnd: (process) => this.#watch.schedulerEnded(process),
          onFailed: (instance, reason) => {
            world.event('process.failed', `${instance.name} ${reason}`);
            this.#kill(instance, world.between(100, 1000));
          },
        }),
    );
    const shared = { world, oracle, server, instances: this.#instances, choices };
    this.#clients = new Clients({ ...shared, settledAt: world.unix(SAFETY + 8000) });
    this.#spanClients = new SpanClients({ ...shared, jobs: this.#clients.jobs });
    this.#faults = new Faults({
      ...{ ...shared, broker, until: SAFETY },
      supervise: {
        kill: (instance, downtime) => this.#kill(instance, downtime),
        stop: (instance, downtime) => this.#stop(instance, downtime),
      },
    });
    this.#watch = new Watch({
      ...{ ...shared, faults: () => this.#faults },
      onProblem: (problem) => this.#problems.push(problem),
    });
  }

  async run(): Promise<Outcome> {
    const world = this.#world;
    for (const [index, instance] of this.#instances.entries()) {
      world.after(index * world.between(0, 4000), () => instance.start(), true);
    }
    this.#watch.start();
    this.#clients.start();
    this.#spanClients.start();
    this.#faults.start();
    if (world.calendar.outageAt < SAFETY) await this.#passOutage(world.calendar.outageAt);
    await world.run(SAFETY);
    world.trace('the faults are over');
    this.#over = true;
    this.#faults.end();
    this.#clients.stop();
    this.#spanClients.stop();
    for (const instance of this.#instances) if (instance.process === null) instance.start();
    await world.run(SAFETY + 2000);
    await world.run(SAFETY + LIVENESS, () => this.#isSettled());
    if (!this.#isSettled()) this.#problems.push(`not settled: ${this.#whatIsOpen()}`);
    const until = this.#owner()?.clock.now() ?? world.unix();
    await world.run(world.now + LAST_WORDS);
    return this.#judge(until);
  }

  /** Nothing runs for days: each instance was killed, or stopped before, and one comes back. */
  async #passOutage(at: number): Promise<void> {
    const world = this.#world;
    const stops = world.chance(0.5);
    if (stops) {
      await world.run(at - world.between(500, 4000));
      for (const instance of this.#instances) if (instance.process !== null) this.#stop(instance, 5000);
    }
    await world.run(at - 2);
    this.#out = true;
    for (const instance of this.#instances) this.#kill(instance, world.between(5, 1000));
    await world.run(at);
    this.#out = false;
    this.#oracle.trouble({ from: world.unix(at - 2), to: world.unix() + 1500 });
    world.event('outage', `${world.calendar.outage / 86_400_000} days`);
    for (const instance of this.#instances) if (instance.process === null) instance.start();
  }

  #judge(until: number): Outcome {
    const world = this.#world;
    this.#watch.end();
    const report = this.#oracle.judge(until);
    for (const { verdict, job, scheduledAt, detail } of report.findings) {
      this.#problems.push(
        `${verdict}: ${job} at ${scheduledAt} (${new Date(scheduledAt).toISOString()}, ${scheduledAt - world.unix()} from the end): ${detail}`,
      );
    }
    this.#problems.push(...this.#wrongRows(until, DELETION_PATIENCE));
    this.#checkBalance();
    this.#countCaughtUp();
    for (const [name, count] of Object.entries(report.counts)) world.count(`oracle.${name}`, count);
    world.trace(`judged ${JSON.stringify(report.counts)}`);
    return {
      ...{ seed: this.#options.seed, hash: world.hash, counts: world.counts, report },
      problems: this.#problems,
    };
  }

  /**
   * What is stored is to be what was answered.
   *
   * @param until the owner's clock, Unix ms
   * @param patience how long after its run a one-off may still be there, ms
   */
  #wrongRows(until: number, patience: number): string[] {
    const wrong: string[] = [];
    const rows = new Map([...this.#server.tables.jobs.values()].map((row) => [row.key_hex, row]));
    for (const { name, keyHex, stored, paused, unresolved } of this.#clients.jobs) {
      const row = rows.get(keyHex);
      if (unresolved !== null) continue;
      const once = stored === null ? Number.POSITIVE_INFINITY : lastTimeOf(stored, until);
      const runs = (this.#oracle.attempts.get(name) ?? []).filter(({ scheduledAt }) => scheduledAt === once);
      const ran = runs.find(({ arrivedAt }) => arrivedAt !== null);
      // It is deleted a while after it ran; by a clock that is behind it may be yet to come once more.
      if (ran !== undefined && (ran.arrivedAt! > this.#world.unix() - patience || once > until - patience))
        continue;
      // Its last run may have been missed, and dropped.
      if (stored?.rules?.misfire === 'skip' && once <= until) continue;
      const should = (stored !== null && ran === undefined) || paused;
      if (should && row === undefined) wrong.push(`row: ${name} is gone`);
      if (!should && row !== undefined) wrong.push(`row: ${name} is still there`);
      if (should && stored !== null && row !== undefined && planOfRow(row).since !== stored.since) {
        wrong.push(`row: ${name} is another version`);
      }
    }
    return wrong;
  }

  /** Of the outage: messages that came for what was missed in it. */
  #countCaughtUp(): void {
    const world = this.#world;
    const { outage, outageAt } = world.calendar;
    if (outage === 0) return;
    const [from, until] = [world.unix(outageAt) - outage, world.unix(outageAt)];
    for (const { arrivedAt, scheduledAt, missed } of [...this.#oracle.attempts.values()].flat()) {
      if (arrivedAt === null || scheduledAt < from || scheduledAt >= until) continue;
      world.count(missed > 1 ? 'outage.one for many' : 'outage.one for one');
    }
  }

  #checkBalance(): void {
    const counters = this.#owner()?.tenure.ownerOrNull()?.counters;
    if (!counters) return;
    const { due, confirmed, returned, superseded, skipped, cancelled, inFlight, heldBack } = counters;
    const settled = confirmed + returned + superseded + skipped + cancelled;
    if (due !== settled + inFlight + heldBack) {
      this.#problems.push(`balance: due ${due}, settled ${settled}, in flight ${inFlight}, held ${heldBack}`);
    }
  }

  #owner(): Process | null {
    // One that has lost the table may not know it yet.
    const { epoch } = this.#server.tables.state;
    return (
      this.#instances.find(({ process }) => process?.tenure.ownerOrNull()?.epoch === epoch)?.process ?? null
    );
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
    const { openRuns, openBackfills } = counters.spans;
    const rows = this.#server.tables.spans.size;
    if (openRuns + openBackfills + rows > 0) {
      return `${openRuns} runs and ${openBackfills} backfills, ${rows} rows of them`;
    }
    // A lease that has just ended again lets nothing out.
    if (counters.dueNow > 0) return `${counters.dueNow} due`;
    if (counters.catchUpsWaiting > 0) return `${counters.catchUpsWaiting} catch-ups wait`;
    const exceptions = decodeExceptions(this.#server.tables.state.exceptions as Uint8Array).ids.length;
    if (exceptions > 0) return `${exceptions} exceptions`;
    if (!this.#clients.resolveAll()) return 'a change is not answered';
    // Settled jobs are deleted lazily, and anew when MySQL was away.
    return this.#wrongRows(owner.clock.now(), DELETION_PATIENCE - LAST_WORDS).join(', ');
  }

  #kill(instance: Instance, downtime: number): void {
    const { process } = instance;
    if (process === null) return;
    // A stop that was broken off leaves no last checkpoint.
    if (process.stopping && process.loadingSince > 0) this.#watch.mayRepeat(process);
    this.#world.event('process.killed', instance.name);
    instance.kill();
    this.#restart(instance, downtime);
  }

  #restart(instance: Instance, downtime: number): void {
    this.#world.after(
      this.#over ? Math.min(downtime, 500) : downtime,
      () => {
        if (instance.process === null && !this.#out) instance.start();
      },
      true,
    );
  }

  #stop(instance: Instance, downtime: number): void {
    const process = instance.process!;
    if (process.stopping) return;
    process.stopping = true;
    const deadline = this.#world.now + STOP_TIMEOUT;
    process.scope.after(0, () => {
      void process.tenure.close(deadline).then((clean) => {
        if (instance.process !== process) return;
        this.#world.event(clean ? 'process.stopped clean' : 'process.stopped unclean', instance.name);
        // It may have become the owner after it was told to stop, while it was frozen.
        if (!clean && process.loadingSince > 0) this.#watch.mayRepeat(process);
        instance.kill();
        this.#restart(instance, downtime);
      });
    });
  }
}

function firstState(): Row {
  return {
    ...{ epoch: 0, owner: null, owner_host: null, owner_address: null, owner_connection: null, lease_ms: 0 },
    ...{ lease_until: null, renewals: 0, tag: 'sim0', watermark: 0, exceptions: new Uint8Array(0) },
    ...{ stamp: 0, next_id: 1, batch: 0 },
  };
}

/** What ends later than this after a run does not end in it, ms. */
const FAR = 1000 * 86_400_000;

/** The one time of a one-off, and the last of a job that ends; Infinity for the others. Unix ms. */
function lastTimeOf({ intervalMs, firstRun, rules }: Plan, until: number): number {
  if (rules === undefined) return intervalMs === 0 ? (firstRun as number) : Number.POSITIVE_INFINITY;
  const last = rules.times.lastAtOrBefore(until + FAR);
  return rules.times.firstAtOrAfter(last + 1) === Number.POSITIVE_INFINITY ? last : Number.POSITIVE_INFINITY;
}
