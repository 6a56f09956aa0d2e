import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import {
  type ServerReading,
  type SlewedClock,
  STEP_LIMIT,
  type Timers,
  type WallAdjustment,
} from '../clock.ts';
import type { Config } from '../config.ts';
import type { Connect } from '../database/session.ts';
import { stateStatements } from '../database/state-statements.ts';
import { type DalgaError, type PlainError, StartupError, toPlainError } from '../errors.ts';
import { formatTime } from '../job/rfc3339.ts';
import type { Log } from '../log.ts';
import type { EventHub } from './events.ts';
import type { Standing } from './insight.ts';
import type { Readiness } from './job-service.ts';
import { refuseWrites } from './jobs.ts';
import { memoryLimit } from './memory.ts';
import type { MetricsData } from './metric-definitions.ts';
import { Owner } from './owner.ts';
import type { StartScheduler } from './scheduler-client.ts';
import { SchedulerTotals } from './scheduler-totals.ts';
import { describeOwner } from './store/owned.ts';
import { acquireOwnership, type Owned, type OwnerInfo } from './store/ownership.ts';

/** How often the clock is compared with the wall clock, ms. */
const DISCIPLINE_INTERVAL = 1000;

/** Between two tries to own the table again while MySQL is away, ms. */
const RETRY_PAUSE = 1000;

/** Without a word from the scheduler thread for this long it is not alive, ms. */
const SILENCE_LIMIT = 5000;

export type TenureOptions = {
  readonly config: Config;
  readonly clock: SlewedClock;
  readonly timers: Timers;
  readonly log: Log;
  /** The address that HTTP is bound to. */
  readonly address: string;
  /** How the owner's sessions with MySQL are opened; the real ones by default. */
  readonly connect?: Connect | undefined;
  /** How the scheduler is started. */
  readonly startScheduler: StartScheduler;
  /** 0 to 1, for the jitter of backoffs. */
  readonly random?: (() => number) | undefined;
  /** Where what happens to jobs is told, while this instance owns the table. */
  readonly events?: EventHub | undefined;
  /** The process cannot go on. */
  readonly onFailed: (error: PlainError, startup: boolean) => void;
};

/**
 * Whether this instance owns the table. The states, and what leads from one to the next:
 *
 *   starting -> owner     the lease was free, or was its own from before a crash
 *   starting -> standby   another instance holds the lease
 *   standby  -> owner     the lease has ended
 *   owner    -> starting  another instance took over (it finds itself fenced): all of the old tenure is ended first
 *   any      -> stopping  `close`
 */
export class Tenure {
  readonly #options: TenureOptions;
  readonly #abort = new AbortController();
  #state: 'starting' | 'standby' | 'owner' | 'stopping' = 'starting';
  #owner: Owner | null = null;
  #ownerElsewhere: OwnerInfo | null = null;
  #mysqlReason: string | null = null;
  #mysqlRefusal: string | null = null;
  #leaseTimer: unknown;
  #leaseOver = false;
  #trustedUntil = 0;
  /** These count over all tenures of this process. */
  readonly #totals = new SchedulerTotals();
  readonly #counts = { mysqlReconnects: 0, writeBatches: 0, writeRequests: 0 };
  #running: Promise<void> = Promise.resolve();
  #disciplineTimer: unknown;
  #serverClock: ServerReading | null = null;
  #stepRefused = false;

  constructor(options: TenureOptions) {
    this.#options = options;
  }

  /** Begins to wait for ownership. */
  start(): void {
    this.#discipline();
    this.#running = this.#run({ first: true });
  }

  /** @throws DalgaError why this instance takes no writes now */
  owner(): Owner {
    if (this.#owner !== null && this.#state === 'owner') return this.#owner;
    throw this.#refusal();
  }

  ownerOrNull(): Owner | null {
    return this.#owner;
  }

  alive(): boolean {
    return this.#owner === null || this.#owner.silence < SILENCE_LIMIT;
  }

  readiness(): Readiness {
    const reasons: Record<string, string> = { ...this.#owner?.reasons() };
    if (this.#state !== 'owner') reasons.ownership = this.#refusal().message;
    const mysql = this.#mysqlReason ?? this.#mysqlRefusal;
    if (mysql !== null) reasons.mysql = mysql;
    return { ready: Object.keys(reasons).length === 0, reasons };
  }

  metrics(): MetricsData {
    const owner = this.#owner;
    return {
      lease: this.#state,
      epoch: owner?.epoch ?? null,
      ready: this.readiness().ready,
      watermarkAge: owner?.watermarkAge ?? null,
      memoryLimit: memoryLimit(this.#options.config.memoryLimit),
      mysqlConnected: this.#mysqlReason === null && this.#state !== 'starting',
      ...this.#counts,
      scheduler: this.#totals.read(),
      events: this.#options.events?.counts ?? { listeners: 0, dropped: 0 },
    };
  }

  standing(): Standing {
    const { host, address } = { host: hostname(), address: this.#options.address };
    const elsewhere = this.#ownerElsewhere === null ? null : describeOwner(this.#ownerElsewhere);
    const owner = this.#state === 'owner' ? describeOwner({ host, address }) : elsewhere;
    return { ...this.metrics(), owner };
  }

  /** The clean stop. @param deadline monotonic ms. @returns whether all was settled or listed */
  async close(deadline: number): Promise<boolean> {
    this.#state = 'stopping';
    this.#options.events?.end();
    this.#abort.abort();
    this.#options.timers.clear(this.#disciplineTimer);
    this.#options.timers.clear(this.#leaseTimer);
    await this.#running;
    const owner = this.#owner;
    this.#owner = null;
    return owner === null ? true : owner.close(deadline);
  }

  /** @param first an instance that has served does not give up when MySQL is away */
  async #run({ first }: { first: boolean }): Promise<void> {
    const { config, clock, timers, log, address, connect, startScheduler, random } = this.#options;
    const instance = { id: randomUUID(), host: hostname(), address };
    try {
      const owned = await acquireOwnership(
        {
          config,
          instance,
          clock,
          timers,
          log,
          connect,
          random,
          onTrusted: (until) => {
            this.#trustedUntil = until;
            this.#owner?.trust(until);
            this.#watchLease(until);
          },
          onServerClock: (reading) => {
            this.#serverClock = reading;
          },
          onFenced: () => void this.#loseOwnership(),
          onConnection: (reason) => this.#noteMysql(reason),
          onRefused: (reason) => this.#noteRefused(reason),
        },
        {
          signal: this.#abort.signal,
          onStandby: (owner) => {
            this.#state = 'standby';
            this.#ownerElsewhere = owner;
            log.info({ owner }, `standby: the table is owned by ${owner.host} at ${owner.address}`);
          },
        },
      );
      // A clock that has stepped on since it was last compared is no reason.
      if (owned.watermark > clock.now() + STEP_LIMIT && !this.#abort.signal.aborted) {
        try {
          await this.#compareClocks(owned);
        } catch (error) {
          await owned.session.close();
          throw new StartupError(`MySQL's clock could not be read: ${(error as Error).message}`);
        }
      }
      if (this.#abort.signal.aborted) {
        await owned.session.release(null);
        return;
      }
      if (owned.watermark > clock.now() + STEP_LIMIT) {
        await owned.session.release(null);
        this.#options.onFailed(toPlainError(watermarkAhead(owned.watermark, clock.now(), config)), true);
        return;
      }
      // The owner's connection is a new one.
      this.#mysqlReason = null;
      log.info({ epoch: owned.epoch, watermark: owned.watermark }, 'this instance owns the table');
      this.#owner = new Owner({
        config,
        owned,
        clock,
        timers,
        log,
        startScheduler,
        trustedUntil: this.#trustedUntil,
        memoryLimit: memoryLimit(config.memoryLimit),
        onFailed: this.#options.onFailed,
        onCounters: this.#totals.begin(),
        events: this.#options.events,
        onBatch: (requests) => {
          this.#counts.writeBatches++;
          this.#counts.writeRequests += requests;
        },
      });
      this.#state = 'owner';
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      if (first || !(error instanceof StartupError)) {
        this.#options.onFailed(toPlainError(error), error instanceof StartupError);
        return;
      }
      log.warn(`${error.message}; trying again`);
      await new Promise<void>((resolve) => timers.set(resolve, RETRY_PAUSE));
      await this.#run({ first });
    }
  }

  async #loseOwnership(): Promise<void> {
    const owner = this.#owner;
    if (owner === null || this.#state === 'stopping') return;
    this.#options.log.error('another instance has taken the table over: this one stops publishing and waits');
    this.#state = 'starting';
    this.#owner = null;
    this.#options.events?.end();
    this.#mysqlRefusal = null;
    this.#leaseOver = false;
    this.#running = owner.abandon().then(() => {
      this.#totals.end();
      return this.#run({ first: false });
    });
    await this.#running;
  }

  #refusal(): DalgaError {
    const name = this.#ownerElsewhere === null ? null : describeOwner(this.#ownerElsewhere);
    return refuseWrites(this.#state === 'owner' ? 'starting' : this.#state, name);
  }

  /** That the lease ends is told once, and once that it was renewed after all. @param until monotonic ms */
  #watchLease(until: number): void {
    const { clock, timers, log } = this.#options;
    timers.clear(this.#leaseTimer);
    if (this.#leaseOver) log.info('the lease is renewed: publishing goes on');
    this.#leaseOver = false;
    if (until === Number.POSITIVE_INFINITY) return;
    this.#leaseTimer = timers.set(() => {
      if (this.#state !== 'owner') return;
      this.#leaseOver = true;
      log.warn('the lease has ended, and could not be renewed: nothing is published until it is');
    }, until - clock.monotonic());
  }

  #noteMysql(reason: string | null): void {
    this.#mysqlReason = reason;
    if (reason === null) {
      this.#counts.mysqlReconnects++;
      this.#options.log.info('MySQL is back');
    } else this.#options.log.warn(`MySQL is away: ${reason}`);
  }

  #noteRefused(reason: string | null): void {
    this.#mysqlRefusal = reason;
    if (reason === null) this.#options.log.info('MySQL takes writes again');
    else this.#options.log.warn(`MySQL takes no writes: ${reason}`);
  }

  #discipline(): void {
    const { clock, timers } = this.#options;
    const adjustment = clock.discipline(this.#serverClock);
    this.#tellStep(adjustment);
    this.#owner?.adjustClock(clock.now() - clock.monotonic(), adjustment.kind === 'stepped');
    this.#disciplineTimer = timers.set(() => this.#discipline(), DISCIPLINE_INTERVAL);
  }

  /** Compares with the wall clock, by a reading of MySQL's clock that is younger than any step. */
  async #compareClocks({ session }: Owned): Promise<void> {
    const { clock, config } = this.#options;
    clock.discipline(null);
    await session.transaction(async ({ run }) => {
      const { rows } = await run(stateStatements(config.mysql.table).standbys(config.lease));
      this.#serverClock = { time: Number(rows[0]?.[1]), monotonic: clock.monotonic() };
      return { write: false, value: undefined };
    });
    this.#tellStep(clock.discipline(this.#serverClock));
  }

  /** Once for each change of state. */
  #tellStep({ kind, difference }: WallAdjustment): void {
    const { log } = this.#options;
    const by = `${Math.abs(difference / 1000).toFixed(0)} s ${difference > 0 ? 'ahead' : 'back'}`;
    if (kind === 'disputed') return;
    if (kind === 'step-refused') {
      if (!this.#stepRefused)
        log.error(
          { difference },
          `the wall clock has stepped ${by}, and MySQL's has not: it is not followed; set this machine's clock right`,
        );
    } else if (kind === 'stepped') {
      log.warn({ difference }, `the wall clock has stepped ${by}, and so has MySQL's: it is followed`);
    } else if (this.#stepRefused) {
      log.info('the wall clock is back');
    }
    this.#stepRefused = kind === 'step-refused';
  }
}

/** What was settled up to there would be run again, or waited for, depending on which of the two is wrong. */
function watermarkAhead(watermark: number, now: number, { mysql }: Config): StartupError {
  return new StartupError(
    `the watermark of table '${mysql.table}' is ${formatTime(watermark)}, and this machine's clock shows ` +
      `${formatTime(now)}: set the clock right, or, if the watermark is wrong, run dalga -reset-watermark TIME, ` +
      'from which on all is run again',
  );
}
