import { messageId } from '../../src/protocol/message-id.ts';
import type { PublishBatch } from '../../src/protocol/scheduler-publisher.ts';
import type { Attempt, Oracle } from '../oracle/oracle.ts';
import type { World } from './world.ts';

export type RouteFault = 'nack' | 'silent' | 'unroutable';

export type Verdict = 'confirmed' | 'returned' | 'nacked' | 'silent';

/** A RabbitMQ in memory: what it routes to a queue is told to the oracle. */
export class BrokerServer {
  readonly world: World;
  readonly oracle: Oracle;
  up = true;
  /** A memory alarm: nothing more is read. */
  blocked = false;
  exchangeGone = false;
  readonly badRoutes = new Map<string, RouteFault>();
  /** Connections are cut. */
  readonly #listeners = new Set<(reason: string) => void>();

  constructor(world: World, oracle: Oracle) {
    this.world = world;
    this.oracle = oracle;
  }

  /** @returns what ends the listening */
  onCut(listener: (reason: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  cutConnections(reason: string): void {
    for (const listener of [...this.#listeners]) listener(reason);
  }

  crash(): void {
    this.up = false;
    this.cutConnections('the broker has crashed');
  }

  /** A publisher was handed a message of a batch: the oracle is told of it. */
  describe(batch: PublishBatch, position: number, sent: Attempt['sent']): Attempt {
    const route = batch.routes[batch.routeOf[position]!]!;
    const body = batch.bodies.subarray(batch.bodyOffsets[position]!, batch.bodyOffsets[position + 1]!);
    const scheduledAt = batch.times[position]!;
    const jobId = batch.ids[position]!;
    const span = batch.spans?.ids[position];
    const job = `${route.routingKey}/${Buffer.from(body).toString('utf8')}`;
    const id = messageId(batch.tag, jobId, scheduledAt, span);
    if (span !== undefined) {
      return this.oracle.spans.attempted({ job, messageId: id, scheduledAt, sent, span, jobId });
    }
    return this.oracle.attempted({
      job,
      messageId: id,
      scheduledAt,
      missed: batch.missed[position]!,
      sent,
    });
  }

  /** A message has come over a connection. */
  take(attempt: Attempt): Verdict {
    const fault = this.badRoutes.get(attempt.job.slice(0, attempt.job.indexOf('/')));
    if (fault === 'nack') {
      this.world.count('broker.nack');
      return 'nacked';
    }
    if (fault === 'silent') {
      this.world.count('broker.never confirmed');
      return 'silent';
    }
    attempt.arrivedAt = this.world.unix();
    this.world.event('message', `${attempt.messageId} ${attempt.job} ${attempt.missed}`);
    if (fault !== 'unroutable') return 'confirmed';
    this.world.count('broker.returned');
    return 'returned';
  }
}
