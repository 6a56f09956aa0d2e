import { setTimeout as delay } from 'node:timers/promises';
import type { Channel, ChannelModel } from 'amqplib';
import type { Test } from 'tap';
import type { RabbitmqConfig } from '../../../src/config.ts';
import { freePorts } from '../../../src/quickstart/free-port.ts';
import { ApiClient } from '../../helpers/api-client.ts';
import { balanceOf, scrape } from '../../helpers/balance.ts';
import type { Received } from '../../helpers/consumer.ts';
import { DalgaProcess, environment } from '../../helpers/dalga-process.ts';
import type { Exposition } from '../../helpers/exposition.ts';
import { testMysql } from '../../helpers/servers.ts';
import { inParallel, scheduledAt } from '../../helpers/service.ts';
import { SteadyConsumer } from '../../helpers/steady-consumer.ts';
import { Oracle, type Report } from '../../oracle/oracle.ts';

/** How long a test waits for what must come, ms. */
const PATIENCE = 120_000;
/** Only what is late by more than this without a trouble is told, ms: the machine may be busy. */
const LATE_AFTER = 15_000;
/** After a fault what was unconfirmed for so long before it may come again, ms. */
const UNCONFIRMED = 5000;
/** The counters in /metrics are at most this old, ms. */
const REPORT_AGE = 1000;

export type WorldOptions = {
  /** Where Dalga finds RabbitMQ: a proxy, perhaps. */
  readonly rabbitmq: Omit<RabbitmqConfig, 'exchange'>;
  /** How the consumer does. */
  readonly connect: () => Promise<ChannelModel>;
  readonly queue: string;
  readonly declare?: (channel: Channel) => Promise<unknown>;
  readonly env?: Readonly<Record<string, string>>;
  /** What becomes of each message; by default the oracle is told. */
  readonly onMessage?: (message: Received) => void;
};

export type Plan = {
  readonly count: number;
  /** s */
  readonly interval: number;
  /** ms from now to the first one's first run, and from one to the next. */
  readonly in: number;
  readonly spacing: number;
  /** By default that of the world's queue. */
  readonly routingKey?: string | ((index: number) => string);
  /** Who is told of them, instead of the world's own oracle; null for nobody. */
  readonly oracle?: Oracle | null;
};

/** The program as a process, a consumer, a client of the API, and the oracle that hears of all that happens. */
export class World {
  readonly url: string;
  process: DalgaProcess;
  readonly oracle = new Oracle({
    ...{ lateAfter: LATE_AFTER, inFlight: LATE_AFTER, clockTolerance: 100, delivery: LATE_AFTER },
  });
  readonly messages: Received[] = [];
  readonly consumer: SteadyConsumer;
  readonly #t: Test;
  readonly #queue: string;
  readonly #environment: Record<string, string>;
  #client: ApiClient;
  #jobs = 0;
  #heard = 0;
  #crashed = false;

  /** Starts all, and waits until the API answers and the table is loaded, whether or not RabbitMQ is there. */
  static async start(t: Test, options: WorldOptions): Promise<World> {
    const database = await testMysql();
    t.teardown(database.close);
    const [port] = (await freePorts(1)) as [number];
    const { rabbitmq, env = {} } = options;
    const itsEnvironment = environment({ mysql: { ...database, table: 'dalga' }, rabbitmq, env }, port);
    const process = new DalgaProcess(itsEnvironment);
    t.teardown(() => process.kill());
    await process.logged('jobs in');
    const world = new World(t, process, port, itsEnvironment, options);
    t.teardown(() => world.#client.stop());
    t.teardown(() => world.consumer.close());
    return world;
  }

  private constructor(
    t: Test,
    process: DalgaProcess,
    port: number,
    itsEnvironment: Record<string, string>,
    { connect, queue, declare, onMessage = (message) => this.note(message) }: WorldOptions,
  ) {
    const url = `http://127.0.0.1:${port}`;
    this.#environment = itsEnvironment;
    this.#t = t;
    this.process = process;
    this.url = url;
    this.#queue = queue;
    this.#client = new ApiClient(url);
    this.consumer = new SteadyConsumer({
      connect,
      queue,
      ...(declare === undefined ? {} : { declare }),
      onMessage,
    });
  }

  /** A message has come, to whichever queue. */
  note(message: Received, oracle: Oracle = this.oracle): void {
    const { headers, messageId } = message.properties;
    this.messages.push(message);
    oracle.arrived(
      {
        job: message.content.toString(),
        messageId: String(messageId),
        scheduledAt: scheduledAt(message),
        missed: (headers?.['x-dalga-missed'] as number | undefined) ?? 0,
      },
      message.receivedAt,
    );
  }

  /** Schedules jobs, each with a phase of its own. @returns their names */
  async schedule(plan: Plan): Promise<string[]> {
    const { count, interval, in: first, spacing, routingKey = this.#queue, oracle = this.oracle } = plan;
    const base = Date.now() + first;
    const jobs = Array.from({ length: count }, () => `job-${this.#jobs++}`);
    const firstRuns = jobs.map((_, index) => Math.floor(base + index * spacing));
    await inParallel([...jobs.keys()], 32, async (index) => {
      const job = jobs[index]!;
      const firstRun = firstRuns[index]!;
      const asked = Date.now();
      const times = { intervalMs: interval * 1000, firstRun };
      const since = { from: asked, to: asked + PATIENCE };
      const change = oracle?.asked(job, asked, { ...times, since });
      const text = encodeURIComponent(new Date(firstRun).toISOString());
      const key = typeof routingKey === 'string' ? routingKey : routingKey(index);
      const url = `${this.url}/jobs/${key}/${job}?interval=${interval}&first_run=${text}`;
      const answer = await fetch(url, { method: 'PUT' });
      if (answer.status !== 201) throw new Error(`PUT ${job}: ${answer.status} ${await answer.text()}`);
      if (!change) return;
      since.to = Date.now();
      oracle?.answered(change, since.to, { result: 'stored', plan: { ...times, since }, created: true });
    });
    return jobs;
  }

  /** Cancels jobs that were scheduled with this routing key. */
  async cancel(jobs: readonly string[], routingKey = this.#queue): Promise<void> {
    await inParallel(jobs, 32, async (job) => {
      const from = Date.now();
      const change = this.oracle.asked(job, from, null);
      const answer = await fetch(`${this.url}/jobs/${routingKey}/${job}`, { method: 'DELETE' });
      if (answer.status !== 204) throw new Error(`DELETE ${job}: ${answer.status}`);
      const to = Date.now();
      this.oracle.answered(change, to, { result: 'deleted', since: { from, to } });
    });
  }

  /** While this lasts dispatch is hindered, and what is unconfirmed when it comes may come again. */
  async fault(act: () => Promise<void>): Promise<void> {
    const from = Date.now();
    await act();
    const to = Date.now();
    this.oracle.trouble({ from, to });
    this.oracle.mayRepeat({ from: from - UNCONFIRMED, to });
  }

  /**
   * kill -9, and a start on the same address.
   *
   * @param repeats what was confirmed for so long before may come again, ms
   * @returns when it was killed, Unix ms
   */
  async killAndRestart(repeats: number): Promise<number> {
    await this.#stopClient();
    const killedAt = Date.now();
    await this.process.kill();
    this.process = new DalgaProcess(this.#environment);
    const { process } = this;
    this.#t.teardown(() => process.kill());
    await process.ready(this.url);
    this.oracle.trouble({ from: killedAt, to: Date.now() });
    this.oracle.mayRepeat({ from: killedAt - repeats, to: killedAt + 1000 });
    this.#heard = 0;
    this.#crashed = true;
    this.#client = new ApiClient(this.url);
    return killedAt;
  }

  /** Resolves when the log has had such a line since the last call of `told`. */
  async says(line: RegExp): Promise<void> {
    await this.until(`the line ${line}`, () =>
      this.process.log.slice(this.#heard).some(({ msg }) => line.test(msg ?? '')),
    );
  }

  /** What the log has said of RabbitMQ, its exchanges and messages since the last call. */
  told(): string[] {
    const lines = this.process.log.slice(this.#heard).map(({ msg }) => msg ?? '');
    this.#heard = this.process.log.length;
    return lines.filter((line) => /RabbitMQ|exchange|returned/.test(line));
  }

  /** Resolves when the condition holds, which is looked at again and again. */
  async until(
    what: string,
    holds: () => boolean | Promise<boolean>,
    { pause = 25, patience = PATIENCE } = {},
  ): Promise<void> {
    const end = performance.now() + patience;
    while (!(await holds())) {
      if (performance.now() > end) throw new Error(`in vain: ${what}\n${this.process.tail()}`);
      await delay(pause);
    }
  }

  /** Resolves with /metrics once they fulfil the condition. */
  async metrics(what: string, holds: (read: Read) => boolean): Promise<Exposition> {
    let last: Exposition | null = null;
    const look = async (): Promise<boolean> => {
      last = await scrape(this.url);
      return holds((name) => last!.samples.get(`dalga_${name}`)!);
    };
    await this.until(what, look);
    return last!;
  }

  /** So many messages more have come. */
  more(count: number): Promise<void> {
    const before = this.messages.length;
    return this.until(`${count} more messages`, () => this.messages.length >= before + count);
  }

  /** Resolves when all that was due has been settled, with the time (Unix ms) of which this is true. */
  async settled(): Promise<number> {
    let time = 0;
    await this.metrics('nothing is due, in flight or held back', (read) => {
      time = Date.now() - REPORT_AGE;
      const open = read('jobs_due') + read('occurrences_in_flight') + read('occurrences_held_back');
      return open === 0;
    });
    return time;
  }

  /**
   * The end of a scenario: what was due by now is settled, and the oracle says that nothing was lost, nor repeated
   * but what was unconfirmed when a connection or a channel was lost.
   *
   * @param sentAgain within the publisher, which tells nobody
   * @param givenOutAgain by the broker
   */
  async judge({
    sentAgain = false,
    givenOutAgain = false,
  } = {}): Promise<{ report: Report; metrics: Exposition }> {
    const t = this.#t;
    const time = Date.now();
    const complete = () => this.oracle.judge(time + LATE_AFTER).count('lost') === 0;
    // Where something is lost the report says what.
    await this.until('all has come', complete, { pause: 500, patience: 30_000 }).catch(() => {});
    await this.consumer.drained();
    const report = this.oracle.judge(time + LATE_AFTER);
    t.ok(report.ok, 'the oracle finds nothing', { report: report.toString().split('\n') });
    const metrics = await scrape(this.url);
    const { due, accounted } = balanceOf(metrics);
    t.equal(accounted, due, 'the balance');
    const { repeatedExcused } = report.counts;
    const lost = metrics.samples.get('dalga_messages_lost_total')!;
    // A crash takes its counters along.
    if (!this.#crashed && !sentAgain && !givenOutAgain)
      t.ok(repeatedExcused <= lost, `${repeatedExcused} repeated, ${lost} unconfirmed`);
    await this.#stopClient();
    t.comment(report.toString());
    return { report, metrics };
  }

  async #stopClient(): Promise<void> {
    const { failures, gets, puts, slowest } = await this.#client.stop();
    const t = this.#t;
    t.same(failures, [], 'the API went on answering');
    t.ok(gets > 0 && puts > 0);
    t.comment(`${gets} GET, ${puts} PUT, slowest ${Math.round(slowest)} ms`);
  }
}

type Read = (name: string) => number;
