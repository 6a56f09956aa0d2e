import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import type { MysqlConfig } from '../../../src/config.ts';
import { freePorts } from '../../../src/quickstart/free-port.ts';
import { scrape, scrapeBalanced } from '../../helpers/balance.ts';
import type { Received } from '../../helpers/consumer.ts';
import { DalgaProcess, environment, type Settings } from '../../helpers/dalga-process.ts';
import { testRabbitmq } from '../../helpers/servers.ts';
import { scheduledAt } from '../../helpers/service.ts';
import { Oracle, type Plan, type Report } from '../../oracle/oracle.ts';

/** How long a test waits for anything before it fails, ms. */
const PATIENCE = 60_000;

/** Jobs that each test has from the beginning; they run each second. */
export const JOBS = ['a', 'b', 'c', 'd', 'e'];
const INTERVAL = 1_000;

/** From the request to the first run, ms. */
const HEAD_START = 400;

/** How late a message may be before a machine that is busy is no excuse, ms. */
const LATE_AFTER = 20_000;

export type Answer = {
  readonly status: number;
  /** The code of a refusal. */
  readonly code: string | undefined;
  readonly retryAfter: string | null;
  /** ms */
  readonly took: number;
};

/** The program over a MySQL that a test makes fail, with jobs that run each second, and an oracle that watches. */
export class World {
  readonly oracle = new Oracle({ lateAfter: LATE_AFTER, delivery: LATE_AFTER });
  readonly settings: Settings;
  readonly httpPort: number;
  readonly queue: string;
  process: DalgaProcess;
  readonly url: string;
  readonly messages: readonly Received[];
  /** What the API has taken, and so owes. */
  readonly accepted = new Set<string>();
  readonly #begun = Date.now();

  constructor(
    { settings, httpPort, queue }: Pick<World, 'settings' | 'httpPort' | 'queue'>,
    process: DalgaProcess,
    messages: readonly Received[],
  ) {
    this.settings = settings;
    this.httpPort = httpPort;
    this.queue = queue;
    this.process = process;
    this.url = `http://127.0.0.1:${httpPort}`;
    this.messages = messages;
  }

  async ask(method: string, job: string, query = '', url = this.url): Promise<Answer> {
    const began = performance.now();
    const answer = await fetch(`${url}/jobs/${this.queue}/${job}${query}`, { method });
    const text = await answer.text();
    return {
      status: answer.status,
      code: answer.status >= 400 ? JSON.parse(text).code : undefined,
      retryAfter: answer.headers.get('retry-after'),
      took: performance.now() - began,
    };
  }

  /** Starts the program again, at its address, and does not wait until it is ready. */
  start(): void {
    this.process = new DalgaProcess(environment(this.settings, this.httpPort));
  }

  /** Schedules a job for each second, from a time of its own on, and tells the oracle what came of it. */
  async put(job: string): Promise<Answer> {
    const askedAt = Date.now();
    const firstRun = askedAt + HEAD_START;
    const planUntil = (to: number): Plan => ({
      ...{ intervalMs: INTERVAL, firstRun, since: { from: askedAt, to } },
    });
    const change = this.oracle.asked(job, askedAt, planUntil(firstRun));
    const at = encodeURIComponent(new Date(firstRun).toISOString());
    const answer = await this.ask('PUT', job, `?interval=${INTERVAL / 1000}&first_run=${at}`);
    const answeredAt = Date.now();
    if (answer.status < 300) {
      const plan = planUntil(answeredAt);
      this.oracle.answered(change, answeredAt, { result: 'stored', plan, created: answer.status === 201 });
      this.accepted.add(job);
    } else if (answer.code === 'outcome_unknown') {
      this.oracle.answered(change, answeredAt, { result: 'unknown', plan: planUntil(answeredAt) });
    } else {
      this.oracle.answered(change, answeredAt, { result: 'refused' });
    }
    return answer;
  }

  /** Schedules a job as soon as MySQL takes it. */
  async putAtLast(job: string): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const { status } = await this.put(job);
      if (status < 300) return;
      if (attempt === 50) throw new Error(`PUT ${job} is still answered with ${status}`);
    }
  }

  /** Resolves when each job that the API has taken has had a message for a time at or after `time`, Unix ms. */
  async ranAfter(time: number): Promise<void> {
    const open = new Set(this.accepted);
    let seen = 0;
    await this.until(`a run of each job after ${new Date(time).toISOString()}`, () => {
      for (; seen < this.messages.length; seen++) {
        const message = this.messages[seen]!;
        if (scheduledAt(message) >= time) open.delete(message.content.toString());
      }
      return open.size === 0;
    });
  }

  /** How many lines the log has now. */
  get logEnd(): number {
    return this.process.log.length;
  }

  /** Resolves when a line of the log, past or to come but not before `from`, has the text. */
  logged(text: string, from = 0): Promise<void> {
    return this.until(`the log line ${text}`, () =>
      this.process.log.slice(from).some(({ msg }) => msg?.includes(text)),
    );
  }

  /** What the log says of MySQL and of the lease, and whatever else it warns of, from `from` on. */
  told(from: number): string[] {
    return this.process.log
      .slice(from)
      .filter(({ level, msg }) => level !== 'info' || /MySQL|the lease/.test(msg ?? ''))
      .map(({ msg = '' }) => msg);
  }

  /** The metrics of now, by name without the prefix. */
  async scrape(url = this.url): Promise<(name: string) => number> {
    const { samples } = await scrape(url);
    return (name) => samples.get(`dalga_${name}`) ?? Number.NaN;
  }

  /** Polls until the condition holds. @throws with the end of the log when it does not come to hold */
  async until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    for (const end = performance.now() + PATIENCE; performance.now() < end; ) {
      if (await condition()) return;
      if (this.process.child.exitCode !== null) break;
      await delay(20);
    }
    const tail = this.process.log.slice(-20).map((line) => JSON.stringify(line));
    throw new Error(`it did not come to this: ${what}\n${tail.join('\n')}\n${this.process.stderr}`);
  }

  /** Lets all that is owed by now come, and asserts that the oracle finds nothing wrong. */
  async judge(t: Test): Promise<Report> {
    const now = Date.now();
    await this.ranAfter(now);
    await scrapeBalanced(t, this.url);
    for (const message of this.messages) {
      const { headers, messageId } = message.properties;
      this.oracle.arrived(
        {
          job: message.content.toString(),
          messageId: messageId as string,
          scheduledAt: scheduledAt(message),
          missed: Number(headers?.['x-dalga-missed'] ?? 0),
        },
        message.receivedAt,
      );
    }
    // A busy machine may be late, and one run may then stand for two: neither is what these tests are about.
    this.oracle.trouble({ from: this.#begun, to: now });
    const report = this.oracle.judge(now + LATE_AFTER - 1);
    t.same(report.findings, [], report.toString());
    t.ok(report.counts.expected > JOBS.length, report.toString());
    return report;
  }
}

/** Starts the program, with a lease of 1 s, and schedules `JOBS`. All ends with the test. */
export async function startWorld(
  t: Test,
  mysql: MysqlConfig,
  env: Readonly<Record<string, string>> = {},
): Promise<World> {
  const broker = await testRabbitmq();
  const [httpPort] = (await freePorts(1)) as [number];
  const queue = broker.name('faults');
  const consumer = await broker.consume(queue);
  t.teardown(broker.close);
  const settings = { mysql, rabbitmq: broker, env: { DALGA_LEASE: '1s', ...env } };
  const process = new DalgaProcess(environment(settings, httpPort));
  const world = new World({ settings, httpPort, queue }, process, consumer.messages);
  t.teardown(() => world.process.kill());
  await process.ready(world.url);
  for (const job of JOBS) {
    const { status } = await world.put(job);
    if (status !== 201) throw new Error(`PUT ${job} was answered with ${status}`);
  }
  await world.ranAfter(0);
  return world;
}
