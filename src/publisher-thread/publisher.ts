import { hostname } from 'node:os';
import type {
  PublishAnswer,
  PublishBatch,
  PublisherInit,
  PublisherReport,
} from '../protocol/scheduler-publisher.ts';
import { Broker } from './broker.ts';
import { LateOutcomes } from './late-outcomes.ts';
import { publishBatch } from './publish-batch.ts';
import { Rerouting } from './rerouting.ts';

export type Publisher = {
  /** Never rejects. Up to 16 at a time; they interleave. */
  publish(batch: PublishBatch): Promise<PublishAnswer>;
  /** Closes the connection, for less than a second. */
  close(): Promise<void>;
};

/** A publisher thread's parts, put together: it connects at once, and reports how that goes. */
export function startPublisher(
  { rabbitmq }: PublisherInit,
  threadId: number,
  report: (report: PublisherReport) => void,
): Publisher {
  const late = new LateOutcomes(threadId, report);
  const broker = new Broker({ config: rabbitmq, name: `dalga@${hostname()}/${threadId}`, threadId, report });
  const rerouting = rabbitmq.unroutable === undefined ? null : new Rerouting(rabbitmq.unroutable, broker);
  const takeReturned = rerouting === null ? null : rerouting.take;
  return {
    publish: (batch) => publishBatch(batch, { broker, threadId, late, takeReturned }),
    async close() {
      await broker.close();
      late.flush();
    },
  };
}
