import type { Oracle, Span } from '../oracle/oracle.ts';
import type { BrokerServer, RouteFault } from './broker.ts';
import type { Choices } from './choices.ts';
import type { FaultName } from './fault-names.ts';
import type { Instance } from './instance.ts';
import type { MysqlServer, StatementFault } from './mysql-server.ts';
import type { World } from './world.ts';

export type FaultsOptions = {
  readonly world: World;
  readonly oracle: Oracle;
  readonly server: MysqlServer;
  readonly broker: BrokerServer;
  readonly instances: readonly Instance[];
  readonly choices: Choices;
  /** World time at which all faults are over. */
  readonly until: number;
  /** How instances end and come back. */
  readonly supervise: {
    kill(instance: Instance, downtime: number): void;
    stop(instance: Instance, downtime: number): void;
  };
};

/** How long a bad route is felt after it has healed, ms: its backoff is 10 s at most. */
const ROUTE_AFTERMATH = 13_000;

/** What a line of the trace begins with at which a process is killed. */
const CRASH_POINTS = {
  'at a write': 'written',
  'at a message': 'message',
  'at a commit': 'mysql.committed',
  'at an answer': 'client.answer',
  'in a load': 'load.',
} as const;
type CrashPoint = keyof typeof CRASH_POINTS;

/** What goes wrong in the safety phase: each run has a choice of its own of kinds. */
export class Faults {
  readonly #options: FaultsOptions;
  /** Spans, in world time, in which checkpoints may not have been written. */
  readonly checkpointTroubles: Span[] = [];
  readonly #kinds: readonly (() => void)[];
  #statementFault = 0;
  #step: number;
  #nextCommit: StatementFault | null = null;
  loadBreaks: number;
  #ends: (() => void)[] = [];
  #over = false;

  constructor(options: FaultsOptions) {
    this.#options = options;
    const { world, server, choices } = options;
    this.#step = choices.step;
    this.loadBreaks = choices.loadBreaks;
    server.fault = ({ sql }) => this.#decide(sql);
    const all = this.#all();
    this.#kinds = choices.faults.map((name) => () => {
      world.event(`fault.${name}`);
      all[name]();
    });
  }

  start(): void {
    const { world, until, choices } = this.#options;
    const next = () => {
      if (this.#over || world.now > until - 1500) return;
      world.pick(this.#kinds)();
      world.after(world.random() * 2 * choices.faultPause, next, true);
    };
    world.after(world.between(1500, 3000), next, true);
  }

  /** All heals. */
  end(): void {
    this.#over = true;
    this.#statementFault = 0;
    this.loadBreaks = 0;
    for (const end of this.#ends) end();
  }

  #all(): Record<FaultName, () => void> {
    const { world, server, broker, instances, supervise, choices } = this.#options;
    const alive = () => instances.filter(({ process }) => process !== null);
    const some = (act: (instance: Instance) => void) => {
      const candidates = alive();
      if (candidates.length > 0) act(world.pick(candidates));
    };
    const downtime = () => (world.chance(0.5) ? world.between(5, 100) : world.between(100, 4000));
    return {
      kill: () => some((instance) => supervise.kill(instance, downtime())),
      'kill at a write': () => this.#kill('at a write', downtime()),
      'kill at a message': () => this.#kill('at a message', downtime()),
      'kill at a commit': () => this.#kill('at a commit', downtime()),
      'kill at an answer': () => this.#kill('at an answer', downtime()),
      'kill in a load': () => this.#kill('in a load', downtime()),
      stop: () => some((instance) => supervise.stop(instance, downtime())),
      freeze: () =>
        some((instance) => {
          const { scope } = instance.process!;
          scope.freeze();
          this.#frozen(world.between(100, 6000), () => scope.thaw());
        }),
      'scheduler stalls': () =>
        some(({ process }) => {
          const thread = process!.scheduler;
          if (thread === null) return;
          thread.freeze();
          this.#frozen(world.between(50, 900), () => thread.thaw());
        }),
      'scheduler crash': () =>
        some(({ process }) => {
          if (process!.scheduler !== null) process!.failScheduler();
        }),
      'publisher thread crash': () => {
        for (const { process } of alive()) process!.publishers?.crashThread();
        this.#trouble(300);
      },
      'mysql crash': () => {
        server.crash();
        this.#lasting('checkpoint', world.between(200, 6000), () => server.restart());
      },
      'mysql freeze': () => {
        server.freeze();
        this.#lasting('checkpoint', world.between(200, 6000), () => server.thaw());
      },
      'mysql read-only': () => {
        server.readOnly = true;
        this.#lasting('checkpoint', world.between(300, 4000), () => {
          server.readOnly = false;
        });
      },
      'mysql too many connections': () => {
        server.tooManyConnections = true;
        this.#lasting('checkpoint', world.between(300, 4000), () => {
          server.tooManyConnections = false;
        });
      },
      'mysql statements fail': () => {
        this.#statementFault = world.pick([0.02, 0.1, 0.3]);
        this.#lasting('checkpoint', world.between(500, 5000), () => {
          this.#statementFault = 0;
        });
      },
      'mysql partition': () =>
        some((instance) => {
          instance.mysqlLink.cut();
          this.#lasting('checkpoint', world.between(200, 8000), () => instance.mysqlLink.mend());
        }),
      'mysql away in mid-commit': () => {
        this.#nextCommit = world.pick(['lost before', 'lost after', 'silent']);
      },
      'mysql clock back': () => {
        server.clockOffset -= world.between(100, 20_000);
      },
      'broker crash': () => {
        broker.crash();
        this.#lasting('dispatch', world.between(200, 8000), () => {
          broker.up = true;
        });
      },
      'broker cuts connections': () => {
        broker.cutConnections('closed by an operator');
        this.#trouble(300);
      },
      'broker partition': () =>
        some((instance) => {
          instance.brokerLink.cut();
          this.#lasting('dispatch', world.between(200, 8000), () => instance.brokerLink.mend());
        }),
      'broker alarm': () => {
        broker.blocked = true;
        this.#lasting('dispatch', world.between(500, 8000), () => {
          broker.blocked = false;
        });
      },
      'exchange gone': () => {
        broker.exchangeGone = true;
        broker.cutConnections('the exchange is gone');
        this.#lasting('dispatch', world.between(500, 5000), () => {
          broker.exchangeGone = false;
        });
      },
      'bad route': () => {
        const route = `route${world.whole(0, choices.routes - 1)}`;
        const fault = world.pick<RouteFault>(['nack', 'silent', 'unroutable']);
        broker.badRoutes.set(route, fault);
        this.#lasting('route', world.between(500, 8000), () => {
          broker.badRoutes.delete(route);
          // What was never confirmed is told only when the connection ends.
          if (fault === 'silent') broker.cutConnections('heals');
        });
      },
      'clock drifts': () => {
        for (const { options } of instances) options.wall.drift = world.between(-0.01, 0.01);
      },
      'clocks step': () => {
        // Once, and by what the run is prepared for.
        if (this.#step === 0) return;
        server.clockOffset += this.#step;
        for (const { options } of instances) options.wall.step += this.#step;
        this.#step = 0;
        this.#trouble(5000);
        world.event('clocks stepped');
      },
      'clock jumps': () =>
        some(({ options }) => {
          const near = world.chance(0.7);
          // Several near ones together stay within what the oracle allows for.
          options.wall.offset = near
            ? world.between(-2000, 2000)
            : options.wall.offset + world.pick([-3_600_000, 3_600_000, 86_400_000]);
          if (!near) {
            this.#lasting('none', world.between(500, 5000), () => {
              options.wall.offset = 0;
            });
          }
        }),
    };
  }

  /** Kills at the very moment at which something of a kind happens next. */
  #kill(point: CrashPoint, downtime: number): void {
    const { world, instances, supervise } = this.#options;
    const before = world.onTrace;
    world.onTrace = (line) => {
      before(line);
      if (!line.startsWith(CRASH_POINTS[point])) return;
      world.onTrace = before;
      world.after(world.pick([0, 0, 0.05, 0.5, 3]), () => {
        const owner = instances.find(({ process }) => process?.tenure.ownerOrNull());
        if (owner === undefined || this.#over) return;
        world.event(`fault.killed ${point}`);
        supervise.kill(owner, downtime);
      });
    };
  }

  /** Something freezes: what it was told before, it may not have heard. */
  #frozen(duration: number, thaw: () => void): void {
    const { world, oracle } = this.#options;
    const from = world.unix();
    this.#lasting('checkpoint', duration, () => {
      thaw();
      oracle.staleOwner({ from, to: world.unix() + 1500 });
    });
  }

  #lasting(what: 'checkpoint' | 'dispatch' | 'route' | 'none', duration: number, end: () => void): void {
    const { world, oracle } = this.#options;
    const begun = world.now;
    let done = false;
    const finish = () => {
      if (done) return;
      done = true;
      end();
      const after = what === 'route' ? ROUTE_AFTERMATH : 2500;
      if (what !== 'none') oracle.trouble({ from: world.unix(begun), to: world.unix() + after });
      if (what === 'checkpoint') this.checkpointTroubles.push({ from: begun, to: world.now });
    };
    const span = { from: begun, to: Number.POSITIVE_INFINITY };
    if (what === 'checkpoint') this.checkpointTroubles.push(span);
    world.after(duration, () => {
      finish();
      const at = this.checkpointTroubles.indexOf(span);
      if (at !== -1) this.checkpointTroubles.splice(at, 1);
    });
    this.#ends.push(() => {
      finish();
      const at = this.checkpointTroubles.indexOf(span);
      if (at !== -1) this.checkpointTroubles.splice(at, 1);
    });
  }

  #trouble(duration: number): void {
    const { world, oracle } = this.#options;
    oracle.trouble({ from: world.unix(), to: world.unix() + duration });
  }

  #decide(sql: string): StatementFault | null {
    const { world, server } = this.#options;
    if (sql === 'COMMIT' && this.#nextCommit !== null && !this.#over) {
      const fault = this.#nextCommit;
      this.#nextCommit = null;
      this.#lasting('checkpoint', world.between(200, 9000), () => server.restart());
      world.after(world.between(8, 12) * server.latency, () => {
        if (!this.#over) server.crash();
      });
      return fault;
    }
    if (this.#statementFault === 0 || !world.chance(this.#statementFault)) return null;
    if (sql === 'COMMIT') return world.pick(['lost before', 'lost after', 'silent', 'slow', 'slow']);
    const inTransaction = /FOR UPDATE|^UPDATE|^INSERT INTO `dalga`|^DELETE FROM `dalga` /.test(sql);
    if (!inTransaction) return world.pick(['lost before', 'lost after', 'silent', 'slow']);
    return world.pick(['lost before', 'lost after', 'silent', 'slow', 'deadlock', 'lock wait timeout']);
  }
}
