import { SlewedClock } from '../../src/clock.ts';
import type { Config } from '../../src/config.ts';
import { decodeJobRow } from '../../src/database/job-row.ts';
import type { Connect } from '../../src/database/session.ts';
import type { Log } from '../../src/log.ts';
import { type BackfillService, createBackfills } from '../../src/main-thread/backfills.ts';
import { Exchanges } from '../../src/main-thread/exchanges.ts';
import type { JobService } from '../../src/main-thread/job-service.ts';
import { createJobs } from '../../src/main-thread/jobs.ts';
import { SchedulerClient, type StartScheduler } from '../../src/main-thread/scheduler-client.ts';
import { createJobLister } from '../../src/main-thread/store/job-lister.ts';
import { createJobReader } from '../../src/main-thread/store/job-reader.ts';
import { Tenure } from '../../src/main-thread/tenure.ts';
import type { SchedulerCommand, SchedulerReport } from '../../src/protocol/main-scheduler.ts';
import type { Limits } from '../../src/scheduler-thread/limits.ts';
import type { LoaderOptions } from '../../src/scheduler-thread/loader.ts';
import { SchedulerService } from '../../src/scheduler-thread/service.ts';
import type { Breakage } from '../breakages/breakage.ts';
import type { BreakageContext } from '../breakages/breakages.ts';
import type { BrokerServer } from './broker.ts';
import { Link } from './link.ts';
import type { MysqlServer } from './mysql-server.ts';
import { connect } from './mysql-session.ts';
import { createPorts } from './port.ts';
import { SimulatedPublishers } from './publishers.ts';
import { Scope, ThreadClock, type WallClock } from './scope.ts';
import { rowsAfter } from './tables.ts';
import type { World } from './world.ts';

export type InstanceOptions = {
  readonly world: World;
  readonly name: string;
  readonly config: Config;
  readonly limits: Limits;
  readonly batchesAtOnce: number;
  readonly server: MysqlServer;
  readonly broker: BrokerServer;
  readonly wall: WallClock;
  readonly breakage: (context: BreakageContext) => Breakage;
  /** How long a message between threads takes, ms. */
  readonly portDelay: () => number;
  /** The probability that a load breaks off. */
  readonly loadBreaks: () => number;
  /** A scheduler has ended, however that came. */
  readonly onSchedulerEnd: (process: Process) => void;
  /** The process has ended by itself. */
  readonly onFailed: (instance: Instance, reason: string) => void;
};

/** What runs in a process. */
export type Process = {
  readonly scope: Scope;
  readonly clock: SlewedClock;
  readonly tenure: Tenure;
  readonly jobs: JobService;
  readonly backfills: BackfillService;
  readonly breakage: Breakage;
  publishers: SimulatedPublishers | null;
  scheduler: Scope | null;
  /** World time when the scheduler was started. */
  loadingSince: number;
  /** World time when it was first seen that it had loaded. */
  loadedAt: number | null;
  /** World time when another instance took the table over for the first time since then. */
  takenOverAt: number | null;
  /** World time since when something is due that was not handed out; null when nothing is. */
  backlogSince: number | null;
  /** World time; as the scheduler knows it. */
  trustedUntil: number;
  /** The scheduler's clock, Unix ms. */
  schedulerNow: () => number;
  /** A clean stop has been asked for. */
  stopping: boolean;
  /** Ends its scheduler as an uncaught error would. */
  failScheduler: () => void;
};

/** One Dalga: the real parts of its main and scheduler threads, in a simulated process. */
export class Instance {
  readonly options: InstanceOptions;
  readonly mysqlLink: Link;
  readonly brokerLink: Link;
  process: Process | null = null;

  constructor(options: InstanceOptions) {
    this.options = options;
    this.mysqlLink = new Link(options.world);
    this.brokerLink = new Link(options.world);
  }

  get name(): string {
    return this.options.name;
  }

  start(): void {
    const { world, config, name, server, wall } = this.options;
    const scope = new Scope(world);
    // Nobody can help one that starts with a clock which is wrong by far.
    if (Math.abs(wall.offset) > 60_000) wall.offset = 0;
    const client = { scope, link: this.mysqlLink };
    const clock = new SlewedClock(
      () => wall.now(),
      () => world.now,
    );
    const breakage = this.options.breakage({ now: () => clock.now() });
    const open: Connect = () => connect(server, client, config.lease);
    const tenure = new Tenure({
      ...{ config, clock, timers: scope, log: silent(world, name), address: `${name}:34006` },
      connect: breakage.connect?.(open) ?? open,
      startScheduler: this.#startScheduler(scope, breakage),
      random: world.random,
      onFailed: (error) => scope.after(0, () => this.options.onFailed(this, error.message)),
    });
    const reader = createJobReader(config.mysql, {
      ...{ connect: () => connect(server, client, null), afterTurn: queueMicrotask },
    });
    const lister = createJobLister(config.mysql, { connect: () => connect(server, client, null) });
    const backfills = createBackfills({ lister, owner: () => tenure.owner() });
    const jobs = createJobs({
      clock,
      reader,
      lister,
      owner: () => tenure.owner(),
      ownerOrNull: () => tenure.ownerOrNull(),
      exchanges: new Exchanges(async () => null, clock),
    });
    this.process = {
      ...{ scope, clock, tenure, jobs, backfills, breakage, publishers: null, scheduler: null },
      ...{
        loadingSince: 0,
        loadedAt: null,
        takenOverAt: null,
        backlogSince: null,
        trustedUntil: 0,
        stopping: false,
        failScheduler: () => {},
      },
      schedulerNow: () => 0,
    };
    world.event('process.start', name);
    tenure.start();
  }

  /** kill -9. */
  kill(): void {
    const { process } = this;
    this.process = null;
    process?.scope.end();
  }

  #startScheduler(scope: Scope, breakage: Breakage): StartScheduler {
    const { world, config, broker, server, portDelay, limits, batchesAtOnce } = this.options;
    return (init, events, timers) => {
      const thread = new Scope(world, scope);
      const [mainPort, threadPort] = createPorts<SchedulerCommand, SchedulerReport>(scope, thread, portDelay);
      const client = new SchedulerClient(breakage.mainPort?.(mainPort) ?? mainPort, events, timers);
      const process = this.process!;
      process.scheduler = thread;
      process.loadingSince = world.now;
      process.loadedAt = null;
      process.takenOverAt = null;
      process.failScheduler = () => {
        thread.end();
        scope.after(1, () => client.fail({ name: 'Error', message: 'the scheduler thread has crashed' }));
      };
      thread.onEnd(() => this.options.onSchedulerEnd(process));
      process.trustedUntil = init.trustedUntil;
      let closed: (() => void) | null = null;
      thread.after(world.between(2, 60), () => {
        const port = breakage.threadPort?.(threadPort) ?? threadPort;
        const clock = new ThreadClock(world, init.clockOffset);
        process.schedulerNow = () => clock.now();
        const open = this.#openTable(thread);
        new SchedulerService({
          init: breakage.init?.(init) ?? init,
          port: {
            send: (report) => port.send(report),
            listen: (listener) =>
              port.listen((command) => {
                if (command.type === 'lease.trusted') process.trustedUntil = command.until;
                listener(command);
              }),
            close: () => {
              port.close();
              closed?.();
            },
          },
          ...{ clock, timers: thread, random: world.random, log: silent(world, this.name) },
          startPublishers: (service) => {
            const publishers = new SimulatedPublishers({
              ...{
                scope: thread,
                broker,
                link: this.brokerLink,
                threads: config.publisherThreads,
              },
              hearer: service,
              now: () => clock.now(),
            });
            process.publishers = publishers;
            return breakage.publishers?.(publishers) ?? publishers;
          },
          ...{ batchesAtOnce, limits },
          openTable: breakage.openTable?.(open) ?? open,
          measureTable: async () => ({ jobs: server.tables.jobs.size, bodyBytes: 0 }),
        });
      });
      return {
        client,
        terminate: async (grace) => {
          if (grace > 0) {
            await new Promise<void>((resolve) => {
              closed = resolve;
              scope.after(grace, resolve);
            });
          }
          process.publishers = null;
          process.scheduler = null;
          thread.end();
        },
      };
    };
  }

  /** The loader's snapshot. */
  #openTable(thread: Scope): LoaderOptions['open'] {
    const { world, server, loadBreaks } = this.options;
    const link = this.mysqlLink;
    const reachable = () => server.up && !server.frozen && !link.isCut && !server.tooManyConnections;
    return async (afterId) => {
      await new Promise<void>((resolve) => thread.after(world.between(1, 20), resolve));
      if (!reachable()) throw new Error('the simulated server cannot be reached');
      world.trace('load.opened');
      const rows = rowsAfter(server.tables, afterId);
      const breaksAt = world.chance(loadBreaks()) ? world.whole(0, rows.length) : -1;
      const pause = world.chance(0.3) ? world.between(20, 400) : 1;
      return {
        total: rows.length,
        read: (onRow) =>
          new Promise((resolve, reject) => {
            const next = (place: number) => {
              if (place === breaksAt || !reachable()) {
                world.event('load.broke off');
                reject(new Error('the connection was lost'));
              } else if (place >= rows.length) resolve();
              else {
                onRow(decodeJobRow(rows[place]!));
                thread.after(world.chance(0.3) ? world.between(0, pause) : 0, () => next(place + 1));
              }
            };
            thread.after(world.between(0, pause), () => next(0));
          }),
        close: () => {},
      };
    };
  }
}

/** The log is part of the trace. */
function silent(world: World, name: string): Log {
  const line = (level: string) => (first: unknown, second?: unknown) => {
    const text = typeof first === 'string' ? first : String(second);
    const error = typeof first === 'object' && first !== null ? (first as { err?: unknown }).err : undefined;
    world.trace(`${name} ${level} ${text}${error === undefined ? '' : `: ${(error as Error).message}`}`);
  };
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
  } as unknown as Log;
}
