import type { Unroutable } from '../config.ts';
import type { MessageOptions } from '../job/job.ts';
import { allocateColumns } from '../protocol/batch-columns.ts';
import { Outcome, type OutcomeCode, type PublishBatch, type Route } from '../protocol/scheduler-publisher.ts';
import type { BatchRun, Sending } from './batch-run.ts';
import type { Broker } from './broker.ts';
import { write } from './publish-batch.ts';

/** A message that the broker has given back: its batch and its position there. */
type Returned = { readonly run: BatchRun; readonly position: number };

/** Of the message where it came from, by what became of it at the alternate: it does not come here a second time. */
const OUTCOME_OF: Readonly<Record<OutcomeCode, OutcomeCode>> = {
  [Outcome.pending]: Outcome.pending,
  [Outcome.confirmed]: Outcome.rerouted,
  [Outcome.rerouted]: Outcome.rerouted,
  [Outcome.returned]: Outcome.returned,
  [Outcome.nacked]: Outcome.returned,
  // Nobody has it for certain: it is sent again, from the start.
  [Outcome.lost]: Outcome.lost,
  [Outcome.unsent]: Outcome.unsent,
};

/**
 * Sends messages that no queue takes to an alternate: an exchange, with their own routing keys, or a queue. It is a
 * destination as any other, with its own channel, its confirms, and its faults; only then is a message settled:
 *
 *   returned -> rerouted   the alternate has confirmed it
 *   returned -> returned   the alternate gave it back, refused it, or cannot be published to
 *   returned -> lost       the connection went before that was known
 */
export class Rerouting {
  readonly #target: Unroutable;
  readonly #broker: Broker;
  #returned: Returned[] = [];

  constructor(target: Unroutable, broker: Broker) {
    this.#target = target;
    this.#broker = broker;
  }

  readonly take = (run: BatchRun, position: number): void => {
    // What one read of the socket brings goes together.
    if (this.#returned.length === 0) setImmediate(() => void this.#send());
    this.#returned.push({ run, position });
  };

  async #send(): Promise<void> {
    const returned = this.#returned;
    this.#returned = [];
    const { kind, name } = this.#target;
    const exchange = kind === 'exchange' ? name : '';
    const routeOf = ({ routingKey }: Route) => ({
      exchange,
      routingKey: kind === 'queue' ? name : routingKey,
    });
    const run = new ReroutedRun(returned, batchOf(returned, routeOf, this.#broker.trustedUntil));
    const written = await write(run, exchange, null, this.#broker);
    // Without a connection, or without trust in the lease, nothing is known of the alternate.
    const outcome = this.#broker.refuses(exchange) ? Outcome.returned : Outcome.unsent;
    for (let position = written; position < returned.length; position++) run.settle(position, outcome);
  }
}

/** The messages as the alternate gets them. */
class ReroutedRun implements Sending {
  readonly batch: PublishBatch;
  readonly #returned: readonly Returned[];

  constructor(returned: readonly Returned[], batch: PublishBatch) {
    this.#returned = returned;
    this.batch = batch;
  }

  body(position: number): Buffer {
    const { run, position: original } = this.#returned[position]!;
    return run.body(original);
  }

  /** Its lateness is that of its first write. */
  write(): void {}

  settle(position: number, outcome: OutcomeCode): void {
    const { run, position: original } = this.#returned[position]!;
    run.finish(original, OUTCOME_OF[outcome]);
  }

  takeBack(position: number, outcome: OutcomeCode): void {
    this.settle(position, outcome);
  }
}

/** A batch of messages out of others, with all that they have, elsewhere, and with headers that say where they were to go. */
function batchOf(
  returned: readonly Returned[],
  elsewhere: (route: Route) => Route,
  trustedUntil: number,
): PublishBatch {
  const { number, clockOffset, tag } = returned[0]!.run.batch;
  const count = returned.length;
  const columns = allocateColumns(count, 0);
  const options: MessageOptions[] = [];
  const routes: Route[] = [];
  const spans = { ids: new Float64Array(count), backfills: new Uint8Array(count) };
  for (const [place, { run, position }] of returned.entries()) {
    const { batch } = run;
    const route = batch.routes[batch.routeOf[position]!]!;
    const own = batch.optionsOf?.[position] ?? 0;
    columns.ids[place] = batch.ids[position]!;
    columns.times[place] = batch.times[position]!;
    columns.missed[place] = batch.missed[position]!;
    columns.expirations[place] = batch.expirations[position]!;
    spans.ids[place] = batch.spans?.ids[position] ?? 0;
    spans.backfills[place] = batch.spans?.backfills[position] ?? 0;
    columns.routeOf[place] = routes.push(elsewhere(route)) - 1;
    options.push(withOrigin(own === 0 ? {} : batch.options[own - 1]!, route));
  }
  const optionsOf = Uint32Array.from({ length: count }, (_, place) => place + 1);
  return {
    ...{ number, clockOffset, tag, trustedUntil, count, routes, options, optionsOf, spans },
    ...columns,
  };
}

function withOrigin(options: MessageOptions, { exchange, routingKey }: Route): MessageOptions {
  const headers = {
    ...options.headers,
    'x-dalga-unroutable-exchange': exchange,
    'x-dalga-unroutable-routing-key': routingKey,
  };
  return { ...options, headers };
}
