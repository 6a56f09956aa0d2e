import { Outcome, type OutcomeCode } from '../../src/protocol/scheduler-publisher.ts';
import type { Attempt } from '../oracle/oracle.ts';
import type { BrokerServer } from './broker.ts';
import type { Run, SimulatedPublishers } from './publishers.ts';
import type { World } from './world.ts';

/** At the latest this long after the last write a batch is answered, ms. */
const ANSWER_AFTER = 100;
const FIRST_BACKOFF = 100;
const LAST_BACKOFF = 1000;
/** How long a batch waits while the broker takes nothing, ms. */
const TURN_DEADLINE = 5000;

/** A publisher thread: its connection, and what it has written. */
export class PublisherThread {
  readonly id: number;
  readonly #publishers: SimulatedPublishers;
  readonly #world: World;
  readonly #broker: BrokerServer;
  /** Written, without an outcome. */
  readonly #out = new Set<{ run: Run; position: number }>();
  readonly #runs = new Set<Run>();
  #late: { run: Run; position: number; outcome: OutcomeCode }[] = [];
  #connected = false;
  #connection = 0;
  #ended = false;
  #told: boolean | null = null;
  #backoff = FIRST_BACKOFF;
  #stopListening = () => {};

  constructor(id: number, publishers: SimulatedPublishers) {
    this.id = id;
    this.#publishers = publishers;
    this.#broker = publishers.options.broker;
    this.#world = this.#broker.world;
    this.#in(this.#world.between(1, 10), () => this.#connect());
  }

  take(run: Run, closed: boolean): void {
    this.#runs.add(run);
    if (closed) this.#answer(run);
    else this.#in(this.#world.between(0.05, 0.5), () => this.#write(run, 0, this.#world.now));
  }

  /** @returns what it leaves behind unconfirmed, of the batches that it has answered */
  crash(): Attempt[] {
    this.#ended = true;
    this.#connected = false;
    this.#stopListening();
    // Batches that were not answered are lost as a whole.
    for (const run of this.#runs) {
      run.answer({
        threadId: -1,
        outcomes: new Uint8Array(run.batch.count).fill(Outcome.lost),
        writtenAt: new Float64Array(run.batch.count),
      });
    }
    return [...this.#out]
      .filter(({ run }) => run.answered)
      .map(({ run, position }) => run.attempts[position]!);
  }

  #connect(): void {
    const { link } = this.#publishers.options;
    if (!this.#broker.up || link.isCut) {
      this.#tell(false, 'it cannot be reached');
      this.#in(this.#backoff * this.#world.between(0.75, 1.25), () => this.#connect());
      this.#backoff = Math.min(this.#backoff * 2, LAST_BACKOFF);
      return;
    }
    this.#backoff = FIRST_BACKOFF;
    this.#connected = true;
    this.#connection++;
    this.#stopListening = this.#broker.onCut((reason) => this.#in(0, () => this.#lose(reason)));
    this.#tell(true, null);
  }

  #lose(reason: string): void {
    if (!this.#connected) return;
    this.#connected = false;
    this.#stopListening();
    this.#world.event('publisher.connection lost');
    for (const { run, position } of [...this.#out]) this.#settle(run, position, Outcome.lost);
    this.#tell(false, reason);
    this.#in(this.#world.between(1, 50), () => this.#connect());
  }

  #write(run: Run, position: number, since: number): void {
    const { batch } = run;
    if (position === batch.count || !this.#connected || this.#broker.exchangeGone) {
      this.#written(run);
      return;
    }
    const { now } = this.#world;
    if (now > batch.trustedUntil) {
      this.#world.event('publisher.past its trust');
      this.#written(run);
      return;
    }
    if (this.#broker.blocked) {
      if (now - since > TURN_DEADLINE) {
        this.#written(run);
        return;
      }
      this.#in(50, () => this.#write(run, position, since));
      return;
    }
    const attempt = run.attempts[position]!;
    run.outcomes[position] = Outcome.pending;
    run.writtenAt[position] = now + batch.clockOffset;
    run.pending++;
    const out = { run, position };
    this.#out.add(out);
    this.#world.trace(`written ${attempt.messageId}`);
    this.#travel(out, attempt);
    this.#in(this.#world.chance(0.02) ? this.#world.between(1, 30) : 0.02, () =>
      this.#write(run, position + 1, now),
    );
  }

  /** The message goes to the broker, and its confirm comes back: each only while the connection lasts. */
  #travel(out: { run: Run; position: number }, attempt: Attempt): void {
    const { world } = this.#broker;
    const connection = this.#connection;
    const { link } = this.#publishers.options;
    const holds = () => connection === this.#connection && (this.#connected || this.#ended);
    link.send('up', () => {
      // What is on its way when a connection goes may still arrive.
      if (!holds() && world.chance(0.5)) return;
      if (!this.#broker.up) return;
      const verdict = this.#broker.take(attempt);
      if (verdict === 'silent') return;
      const slow = world.chance(0.02) ? world.between(50, 400) : world.between(0.3, 8);
      world.after(slow, () =>
        link.send('down', () => {
          if (!holds() || this.#ended || !this.#out.has(out)) return;
          const code =
            verdict === 'nacked'
              ? Outcome.nacked
              : verdict === 'returned'
                ? // By turns there is an alternate that takes it.
                  out.position % 2 === 0
                  ? Outcome.returned
                  : Outcome.rerouted
                : Outcome.confirmed;
          this.#in(0, () => this.#settle(out.run, out.position, code));
        }),
      );
    });
  }

  #written(run: Run): void {
    run.written = true;
    if (run.pending === 0) this.#answer(run);
    else this.#in(ANSWER_AFTER, () => this.#answer(run));
  }

  #settle(run: Run, position: number, outcome: OutcomeCode): void {
    for (const out of this.#out) if (out.run === run && out.position === position) this.#out.delete(out);
    run.pending--;
    if (run.answered) {
      if (this.#late.length === 0) this.#in(this.#world.between(1, 10), () => this.#flush());
      this.#late.push({ run, position, outcome });
    } else {
      run.outcomes[position] = outcome;
    }
    if (!run.answered && run.written && run.pending === 0) this.#answer(run);
  }

  #answer(run: Run): void {
    if (run.answered || this.#ended) return;
    run.answered = true;
    this.#runs.delete(run);
    run.answer({ threadId: this.id, outcomes: run.outcomes.slice(), writtenAt: run.writtenAt });
  }

  #flush(): void {
    const late = this.#late;
    this.#late = [];
    this.#world.count('publisher.late outcomes', late.length);
    this.#publishers.toScheduler('reports', () => {
      for (const { run, position, outcome } of late) this.#publishers.note(run.attempts[position], outcome);
      this.#publishers.options.hearer.hear({
        type: 'outcomes.settled',
        threadId: this.id,
        batches: Float64Array.from(late, ({ run }) => run.batch.number),
        positions: Uint32Array.from(late, ({ position }) => position),
        outcomes: Uint8Array.from(late, ({ outcome }) => outcome),
      });
    });
  }

  #tell(connected: boolean, reason: string | null): void {
    if (this.#told === connected) return;
    this.#told = connected;
    this.#publishers.toScheduler('reports', () =>
      this.#publishers.options.hearer.hear({
        type: 'connection.changed',
        ...{ threadId: this.id, connected, reason, blocked: false },
      }),
    );
  }

  #in(delay: number, callback: () => void): void {
    this.#publishers.options.scope.after(delay, () => {
      if (!this.#ended) callback();
    });
  }
}
