import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import amqp from 'amqplib';
import { freePorts } from '../../src/quickstart/free-port.ts';
import {
  type PrivateMysql,
  type PrivateRabbitmq,
  startPrivateMysql,
  startPrivateRabbitmq,
} from '../../src/quickstart/private-servers.ts';
import { Account } from '../helpers/account.ts';
import { ApiWriters, type Asked, send } from '../helpers/api-writers.ts';
import { balanceOf } from '../helpers/balance.ts';
import { DalgaProcess, environment, type Settings } from '../helpers/dalga-process.ts';
import { parseExposition } from '../helpers/exposition.ts';
import { type Recorder, startRecorder } from '../helpers/recorder.ts';
import { seedJobs } from '../helpers/seed-jobs.ts';
import { steadyLoad } from '../helpers/steady-load.ts';
import type { Report } from '../oracle/oracle.ts';

const QUEUE = 'soak';
/** What was confirmed longer before a fault does not come again, ms; a machine under load is slower. */
const REPEATABLE = 3000;
/** The longest that a broker which is frozen or started anew takes to hand a message over, ms. */
const BROKER_DELAY = 60_000;

export type SoakOptions = {
  readonly folder: string;
  /** Messages a second. */
  readonly rate: number;
  readonly seed: number;
  /** ms */
  readonly duration: number;
  readonly say: (line: string) => void;
};

type Instance = { process: DalgaProcess; readonly port: number; readonly url: string };

/** Private servers, two instances, clients and a consumer; what befalls them, the oracle is told. */
export class SoakWorld {
  readonly account = new Account(
    { lateAfter: 60_000, inFlight: 30_000, inFlightReplaced: 30_000 },
    BROKER_DELAY,
  );
  mysql: PrivateMysql;
  broker: PrivateRabbitmq;
  readonly #options: SoakOptions;
  readonly #recorder: Recorder;
  readonly #settings: Settings;
  readonly #instances: Instance[] = [];
  #owner: Instance | null = null;
  #writers: ApiWriters | null = null;
  #walls = 0;
  #closing = false;

  static async open(options: SoakOptions): Promise<SoakWorld> {
    const [mysql, broker] = await Promise.all([
      startPrivateMysql({ folder: join(options.folder, 'mysql') }),
      startPrivateRabbitmq({ folder: join(options.folder, 'rabbitmq') }),
    ]);
    const { host, port, user, password, vhost } = broker;
    const login = { protocol: 'amqp', hostname: host, port, username: user, password, vhost };
    const recorder = await startRecorder(() => amqp.connect(login), QUEUE);
    const world = new SoakWorld(options, mysql, broker, recorder);
    await world.#start();
    return world;
  }

  private constructor(
    options: SoakOptions,
    mysql: PrivateMysql,
    broker: PrivateRabbitmq,
    recorder: Recorder,
  ) {
    this.#options = options;
    this.mysql = mysql;
    this.broker = broker;
    this.#recorder = recorder;
    this.#settings = { mysql: { ...mysql, table: 'dalga' }, rabbitmq: broker };
  }

  /** kill -9; it is started again on its own address. */
  async killOwner(): Promise<void> {
    const owner = await this.#findOwner();
    await owner.process.kill();
  }

  /** Freezes the owner until the standby owns the table. */
  async freezeOwner(): Promise<void> {
    const owner = await this.#findOwner();
    owner.process.child.kill('SIGSTOP');
    this.#owner = null;
    const heir = await this.#findOwner(owner);
    this.#options.say(`the owner is ${heir.url} now`);
    owner.process.child.kill('SIGCONT');
    await owner.process.logged('standby', Math.max(owner.process.log.length - 5, 0));
  }

  async restartBroker(signal: NodeJS.Signals, away: number): Promise<void> {
    const { folder, port } = this.broker;
    await endServer(this.broker, signal);
    await delay(away);
    this.broker = await startPrivateRabbitmq({ folder, port });
  }

  async restartMysql(signal: NodeJS.Signals, away: number): Promise<void> {
    const { folder, port } = this.mysql;
    await endServer(this.mysql, signal);
    await delay(away);
    this.mysql = await startPrivateMysql({ folder, port });
  }

  /** Puts, changes and deletes jobs as fast as so many clients can. */
  async changeMany(count: number, clients: number): Promise<void> {
    const { url } = await this.#findOwner();
    const wall = ++this.#walls;
    let next = 0;
    const one = async (): Promise<void> => {
      while (next < count) {
        const job = `c${wall}-${next++}`;
        const firstRun = Date.now() + 500 + (next % 3000);
        const kinds: Asked[] = [
          { op: 'put', intervalMs: null, firstRun },
          { op: 'put', intervalMs: null, firstRun: firstRun + 1000 },
        ];
        for (const asked of kinds) {
          const answered = this.account.sending(job, asked, Date.now());
          answered(await send(`${url}/jobs/${QUEUE}/${job}`, asked), Date.now());
        }
      }
    };
    await Promise.all(Array.from({ length: clients }, one));
  }

  /** Resolves when an instance serves again. @param since when the fault began, Unix ms */
  async recovered(since: number): Promise<void> {
    const { oracle } = this.account;
    this.#owner = null;
    await this.#findOwner();
    oracle.mayRepeat({ from: since - REPEATABLE, to: Date.now() + REPEATABLE });
  }

  /** Reads the owner's balance. @returns a line for a person */
  async balance(): Promise<string> {
    const { url } = await this.#findOwner();
    const { due, accounted } = balanceOf(parseExposition(await (await fetch(`${url}/metrics`)).text()));
    if (due !== accounted) throw new Error(`${url}: ${due} came due, ${accounted} are accounted for`);
    return `${due} occurrences came due, and all are accounted for; ${this.#recorder.arrivals.length} messages so far`;
  }

  /** Ends all, and asks the oracle. */
  async close(): Promise<Report> {
    const { oracle } = this.account;
    await this.#writers?.stop();
    const owner = await this.#findOwner();
    this.#closing = true;
    const stoppedAt = Date.now();
    // What is due by now has come when the last message of a later time has, and nothing waits.
    for (let due = Number.POSITIVE_INFINITY; due > 100; await delay(100)) {
      const { samples } = parseExposition(await (await fetch(`${owner.url}/metrics`)).text());
      due = samples.get('dalga_jobs_due')! + samples.get('dalga_occurrences_held_back')!;
    }
    await this.#recorder.arrival(({ scheduledAt }) => scheduledAt > stoppedAt + 1000);
    await Promise.all(this.#instances.map(({ process }) => process.stop()));
    await this.#recorder.drained();
    await this.#recorder.close();
    oracle.trouble({ from: 0, to: Number.POSITIVE_INFINITY });
    const report = this.account.judge(this.#recorder.arrivals, stoppedAt);
    await Promise.all([this.mysql.stop(), this.broker.stop()]);
    return report;
  }

  async #start(): Promise<void> {
    const { rate, seed, duration } = this.#options;
    const since = Date.now();
    const jobs = steadyLoad({ rate, from: since + 10_000, duration, seed });
    await seedJobs(this.#settings.mysql, QUEUE, jobs, since);
    this.account.seeded(jobs, since);
    for (const port of await freePorts(2)) this.#launch(port);
    await this.#findOwner();
    this.#writers = new ApiWriters({
      url: () => (this.#owner ?? this.#instances[0]!).url,
      ...{ routingKey: QUEUE, writers: 4, rate: 40, seed, journal: this.account },
    });
  }

  /** Starts an instance, and starts it again whenever it has ended. */
  #launch(port: number): void {
    const instance: Instance = {
      process: new DalgaProcess(environment(this.#settings, port)),
      port,
      url: `http://127.0.0.1:${port}`,
    };
    this.#instances.push(instance);
    void instance.process.exited.then(async (code) => {
      if (this.#closing) return;
      this.#options.say(
        `${instance.url} ended with ${code ?? 'a signal'}: ${instance.process.stderr.trim()}`,
      );
      this.#instances.splice(this.#instances.indexOf(instance), 1);
      await delay(200);
      if (!this.#closing) this.#launch(port);
    });
  }

  /** The instance that is ready, once there is one. */
  async #findOwner(other?: Instance): Promise<Instance> {
    for (;;) {
      for (const instance of this.#instances) {
        if (instance === other) continue;
        const signal = AbortSignal.timeout(1000);
        const answer = await fetch(`${instance.url}/readyz`, { signal }).catch(() => null);
        if (answer?.status !== 200) continue;
        this.#owner = instance;
        return instance;
      }
      await delay(50);
    }
  }
}

async function endServer(
  server: { kill(signal: NodeJS.Signals): void; readonly exited: Promise<unknown> },
  signal: NodeJS.Signals,
): Promise<void> {
  server.kill(signal);
  await server.exited;
}
