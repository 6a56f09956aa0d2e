import { monotonicNow } from '../../src/clock.ts';
import type { RabbitmqConfig } from '../../src/config.ts';
import { allocateColumns } from '../../src/protocol/batch-columns.ts';
import {
  Outcome,
  type PublishBatch,
  type PublisherReport,
  type Route,
} from '../../src/protocol/scheduler-publisher.ts';
import { type Publisher, startPublisher } from '../../src/publisher-thread/publisher.ts';
import type { TestRabbitmq } from '../helpers/servers.ts';

export type TestMessage = Partial<Route> & {
  id?: number;
  time?: number;
  missed?: number;
  expiration?: number;
  body?: string;
};

let batches = 0;

/** A batch as the scheduler makes one. */
export function makeBatch(messages: readonly TestMessage[], terms: Partial<PublishBatch> = {}): PublishBatch {
  const count = messages.length;
  const routes: Route[] = [];
  const routeOf = messages.map(({ exchange = '', routingKey = '' }) => {
    const known = routes.findIndex((route) => route.exchange === exchange && route.routingKey === routingKey);
    return known === -1 ? routes.push({ exchange, routingKey }) - 1 : known;
  });
  const texts = messages.map(({ body, id = 1 }) => Buffer.from(body ?? String(id)));
  const bytes = Buffer.concat(texts);
  const columns = allocateColumns(count, bytes.length);
  columns.bodies.set(bytes);
  for (const [
    place,
    { id = 1, time = 1_700_000_000_000, missed = 0, expiration = 0 },
  ] of messages.entries()) {
    columns.routeOf[place] = routeOf[place]!;
    columns.ids[place] = id;
    columns.times[place] = time;
    columns.missed[place] = missed;
    columns.expirations[place] = expiration;
    columns.bodyOffsets[place + 1] = columns.bodyOffsets[place]! + texts[place]!.length;
  }
  batches += 1;
  return {
    number: batches,
    trustedUntil: monotonicNow() + 60_000,
    clockOffset: Date.now() - monotonicNow(),
    tag: 'k3x9',
    count,
    routes,
    options: [],
    optionsOf: null,
    spans: null,
    ...columns,
    ...terms,
  };
}

/** Messages with ids from 1 on. */
export function numbered(count: number, message: TestMessage): TestMessage[] {
  return Array.from({ length: count }, (_, index) => ({ ...message, id: index + 1 }));
}

/** Keeps reports, and resolves when one that was not given out yet matches. */
export class Reports {
  readonly all: PublisherReport[] = [];
  readonly #given = new Set<PublisherReport>();
  #waiting: (() => void)[] = [];

  readonly note = (report: PublisherReport): void => {
    this.all.push(report);
    for (const wake of this.#waiting.splice(0)) wake();
  };

  async next<Type extends PublisherReport['type']>(
    type: Type,
    matches: (report: Extract<PublisherReport, { type: Type }>) => boolean = () => true,
  ): Promise<Extract<PublisherReport, { type: Type }>> {
    for (;;) {
      const found = this.all.find(
        (report) =>
          !this.#given.has(report) &&
          report.type === type &&
          matches(report as Extract<PublisherReport, { type: Type }>),
      );
      if (found !== undefined) {
        this.#given.add(found);
        return found as Extract<PublisherReport, { type: Type }>;
      }
      await this.#more();
    }
  }

  /** The late outcomes of one batch, by position, once there are `count`; a report can tell of many batches. */
  async late(batch: number, count: number): Promise<Map<number, number>> {
    for (;;) {
      const outcomes = new Map<number, number>();
      for (const report of this.all) {
        if (report.type !== 'outcomes.settled') continue;
        for (const [index, number] of report.batches.entries()) {
          if (number === batch) outcomes.set(report.positions[index]!, report.outcomes[index]!);
        }
      }
      if (outcomes.size >= count) return outcomes;
      await this.#more();
    }
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }
}

/** Publishes, and waits for the outcomes that come late too (a busy machine makes any of them late). */
export async function outcomesOf(
  { publish, reports }: { publish: Publisher['publish']; reports: Reports },
  batch: PublishBatch,
): Promise<number[]> {
  const { number } = batch;
  const { outcomes } = await publish(batch);
  const all = [...outcomes];
  const pending = all.filter((outcome) => outcome === Outcome.pending).length;
  for (const [position, outcome] of await reports.late(number, pending)) all[position] = outcome;
  return all;
}

export type TestPublisher = Publisher & { readonly reports: Reports };

export function configOf(rabbit: TestRabbitmq, changes: Partial<RabbitmqConfig> = {}): RabbitmqConfig {
  const { host, port, user, password, vhost } = rabbit;
  return { host, port, user, password, vhost, exchange: '', ...changes };
}

/** A publisher on this thread, connected. */
export async function connectedPublisher(
  rabbitmq: RabbitmqConfig,
  teardown: (close: () => Promise<void>) => void,
): Promise<TestPublisher> {
  const reports = new Reports();
  const publisher = startPublisher({ rabbitmq }, 0, reports.note);
  teardown(() => publisher.close());
  await reports.next('connection.changed', ({ connected }) => connected);
  return { ...publisher, reports };
}
