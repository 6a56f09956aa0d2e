import type { FastifyInstance } from 'fastify';
import { SlewedClock, systemTimers, type Timers } from './clock.ts';
import type { Config } from './config.ts';
import type { Connect } from './database/session.ts';
import { DalgaError, type PlainError, StartupError } from './errors.ts';
import { createLog, type Log } from './log.ts';
import { createBackfills } from './main-thread/backfills.ts';
import { EventHub } from './main-thread/events.ts';
import { Exchanges } from './main-thread/exchanges.ts';
import { answersTaken } from './main-thread/http/answers-taken.ts';
import { createApp } from './main-thread/http/app.ts';
import { createInsight, type Versions } from './main-thread/insight.ts';
import { createJobs } from './main-thread/jobs.ts';
import { memoryLimit } from './main-thread/memory.ts';
import { createMetrics, startingData } from './main-thread/metrics.ts';
import { type PreparedScheduler, prepareScheduler } from './main-thread/scheduler-worker.ts';
import { createJobLister, type JobLister } from './main-thread/store/job-lister.ts';
import { createJobReader } from './main-thread/store/job-reader.ts';
import { checkTables, createTables } from './main-thread/store/schema-check.ts';
import { Tenure } from './main-thread/tenure.ts';
import { checkBroker, lookForExchange } from './publisher-thread/startup-check.ts';
import { version } from './version.ts';

/** A fault that ends the process. `startup`: the message is one for the operator, and nothing has run. */
export type Failure = { readonly error: PlainError; readonly startup: boolean };

export type Dalga = {
  /** Checks both servers, binds the HTTP address, and begins to wait for the table. @throws StartupError */
  start(): Promise<void>;
  /** Where HTTP listens, as `127.0.0.1:34006`, once `start` has resolved. */
  readonly address: string;
  /** Resolves when it cannot go on: the process is to end. */
  readonly failed: Promise<Failure>;
  /** The clean stop. Resolves to whether all was settled or listed in time. */
  close(): Promise<boolean>;
};

/** What it touches of the world; each has its real one by default. */
export type DalgaDeps = {
  readonly log?: Log;
  readonly clock?: SlewedClock;
  readonly timers?: Timers;
  /** Opens the owner's sessions with MySQL. */
  readonly connect?: Connect;
  readonly scheduler?: PreparedScheduler;
};

/** The composition root: the main thread's parts, put together. */
export function createDalga(config: Config, deps: DalgaDeps = {}): Dalga {
  const { log = createLog('main', config.debug), clock = new SlewedClock(), timers = systemTimers } = deps;
  const scheduler = deps.scheduler ?? prepareScheduler(config);
  let fail: (failure: Failure) => void;
  const failed = new Promise<Failure>((resolve) => {
    fail = resolve;
  });
  let app: FastifyInstance | null = null;
  let tenure: Tenure | null = null;
  let reader: ReturnType<typeof createJobReader> | null = null;
  let lister: JobLister | null = null;
  let address = '';
  const events = new EventHub({
    ...{ clock, timers, log },
    names: async (ids) => (await lister?.names(ids)) ?? new Map(),
  });

  const starting = () => startingData(memoryLimit(config.memoryLimit));

  return {
    failed,
    get address() {
      return address;
    },
    async start() {
      const brokerChecked = checkRabbitmq(config, log);
      // Of two faults the one of MySQL is told.
      brokerChecked.catch(() => {});
      const tablesChecked = config.createTableAtStart
        ? createTables(config.mysql)
        : checkTables(config.mysql);
      tablesChecked.catch(() => {});
      reader = createJobReader(config.mysql);
      lister = createJobLister(config.mysql);
      const owner = () => tenure?.owner() ?? refuse();
      const ownerOrNull = () => tenure?.ownerOrNull() ?? null;
      const jobs = createJobs({
        clock,
        reader,
        lister,
        owner,
        ownerOrNull,
        exchanges: new Exchanges((exchange) => lookForExchange(config.rabbitmq, exchange), clock),
      });
      app = createApp({
        jobs,
        clock,
        health: {
          alive: () => Promise.resolve(tenure?.alive() ?? true),
          readiness: () => tenure?.readiness() ?? { ready: false, reasons: { ownership: 'starting' } },
        },
        metrics: createMetrics(() => tenure?.metrics() ?? starting()),
        insight: createInsight({
          ...{ clock, jobs, owner, ownerOrNull },
          standing: () => tenure?.standing() ?? { ...starting(), owner: null },
          versions: () => versionsOf(lister, brokerChecked),
        }),
        events: {
          check: () => void owner(),
          listen(filter, sink) {
            owner();
            return events.listen(filter, sink);
          },
        },
        backfills: createBackfills({ lister, owner }),
        limits: config.http,
        logger: log,
        version,
      });
      await app.ready();
      await tablesChecked;
      await brokerChecked;
      // The address is bound before the lease is asked for: who has it is the only one here that can.
      address = await listen(app, config);
      tenure = new Tenure({
        config,
        clock,
        timers,
        log,
        address,
        connect: deps.connect,
        startScheduler: scheduler.start,
        events,
        onFailed: (error, startup) => fail({ error, startup }),
      });
      tenure.start();
      log.info({ address }, `listening on http://${address}`);
    },
    async close() {
      const deadline = clock.monotonic() + config.stopTimeout;
      log.info('stopping');
      // Streams have no end of their own.
      events.end();
      // New connections are refused; what has come is answered.
      const closed = app?.close();
      const clean = (await tenure?.close(deadline)) ?? true;
      await scheduler.discard();
      if (app !== null) await answersTaken(app.server, { clock, timers, deadline });
      // What is still open now has a request that will not end, or a client that does not read.
      app?.server.closeAllConnections();
      await closed;
      await Promise.all([reader?.close(), lister?.close()]);
      log.info({ clean }, clean ? 'stopped' : 'stopped before all was settled: some messages may come twice');
      return clean;
    },
  };
}

async function versionsOf(lister: JobLister | null, broker: Promise<string | null>): Promise<Versions> {
  const mysql = await lister?.serverVersion().catch(() => null);
  return { dalga: version, node: process.version, mysql: mysql ?? null, rabbitmq: await broker };
}

/** A broker that cannot be reached may come later; one that refuses is for an operator to mend. */
async function checkRabbitmq(config: Config, log: Log): Promise<string | null> {
  try {
    const { version: broker } = await checkBroker(config.rabbitmq);
    log.info(`RabbitMQ ${broker} at ${config.rabbitmq.host}:${config.rabbitmq.port}`);
    return broker;
  } catch (error) {
    if (!(error instanceof StartupError) || !error.transient) throw error;
    log.warn(`${error.message}; publishing starts when it can be reached`);
    return null;
  }
}

async function listen(app: FastifyInstance, config: Config): Promise<string> {
  const { host, port } = config.http;
  try {
    await app.listen({ host, port });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartupError(
      `cannot listen on ${host}:${port} (${reason}): set DALGA_HTTP_HOST and DALGA_HTTP_PORT`,
    );
  }
  const bound = app.server.address();
  return typeof bound === 'object' && bound !== null ? `${host}:${bound.port}` : `${host}:${port}`;
}

/** Between listening and asking for the table. */
function refuse(): never {
  throw new DalgaError('not_ready', 'this instance is starting');
}
