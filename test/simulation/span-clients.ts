import { DalgaError } from '../../src/errors.ts';
import type { JobKey } from '../../src/job/job.ts';
import type { Span } from '../../src/job/span.ts';
import { timetableOf } from '../../src/job/timetable.ts';
import type { Oracle } from '../oracle/oracle.ts';
import type { Choices } from './choices.ts';
import { rowOf } from './clients.ts';
import type { Instance } from './instance.ts';
import type { MysqlServer } from './mysql-server.ts';
import type { Row } from './tables.ts';
import type { World } from './world.ts';

export type SpanClientsOptions = {
  readonly world: World;
  readonly oracle: Oracle;
  readonly server: MysqlServer;
  readonly instances: readonly Instance[];
  readonly choices: Pick<Choices, 'spanPause'>;
  readonly jobs: readonly { readonly key: JobKey; readonly name: string }[];
};

/** Clients that ask for runs by hand and backfills, and end some of them. */
export class SpanClients {
  readonly #options: SpanClientsOptions;
  /** Ids that clients were told. */
  readonly #ids: number[] = [];
  #stopped = false;

  constructor(options: SpanClientsOptions) {
    this.#options = options;
    options.server.onSpanStored = (span, job) => this.#stored(span, job);
    options.server.onJobChanged = (before, after) => this.#changed(before, after);
  }

  start(): void {
    const { world, choices } = this.#options;
    if (choices.spanPause === 0) return;
    const next = () => {
      if (this.#stopped) return;
      this.#act();
      world.after(world.random() * 2 * choices.spanPause, next, true);
    };
    world.after(1000, next, true);
  }

  stop(): void {
    this.#stopped = true;
  }

  #act(): void {
    const { world, jobs, oracle, instances } = this.#options;
    const owner = instances.find(({ process }) => process?.tenure.ownerOrNull());
    const { process } = owner ?? world.pick(instances);
    if (process === null) return;
    const { scope, backfills } = process;
    const { key, name } = world.pick(jobs);
    const dice = world.random();
    const opened = (span: Span | null) => {
      world.event(`spans.${span === null ? 'no such job' : `accepted ${span.kind}`}`, name);
      if (span === null) return;
      oracle.spans.accepted(span.id, name);
      this.#ids.push(span.id);
    };
    const ask = (): Promise<void> => {
      if (dice < 0.45) return backfills.run(key).then(opened);
      if (dice < 0.85 || this.#ids.length === 0) {
        const to = Math.floor(world.unix() - world.between(0, 4000));
        const from = to - world.whole(500, 8000);
        return backfills.backfill(key, { from, to }).then(opened);
      }
      const id = this.#ids.at(-world.whole(1, Math.min(3, this.#ids.length)))!;
      oracle.spans.endAsked(id);
      return backfills.end(id).then((ended) => {
        world.event(`spans.${ended ? 'ended' : 'not there'}`, String(id));
        if (ended) oracle.spans.endAnswered(id, world.unix());
        else oracle.spans.endRefused(id);
      });
    };
    scope.after(world.between(0.1, 1), () => {
      ask().catch((error: unknown) => {
        if (!(error instanceof DalgaError)) throw error;
        world.event(`spans.refused ${error.code}`, name);
      });
    });
  }

  /** A transaction has stored it, whatever the client was told. */
  #stored(span: Row, job: Row | undefined): void {
    const { oracle, jobs } = this.#options;
    const [id, jobId, from, to, created] = ['id', 'job_id', 'from_time', 'to_time', 'created'].map(
      (column) => span[column] as number,
    ) as [number, number, number, number, number];
    if (job === undefined) {
      oracle.spans.stored({ id, jobId, job: '', kind: 'run', times: [] });
      return;
    }
    const row = rowOf(job);
    const key = `${Buffer.from(row.routingKey)}/${Buffer.from(row.job)}`;
    const name = jobs.find((one) => one.name === key)?.name ?? key;
    const times: number[] = [];
    if (span.kind === 0) times.push(created);
    else {
      const timetable = timetableOf(row.schedule, jobId);
      for (let time = timetable.firstAtOrAfter(from); time < to; time = timetable.firstAtOrAfter(time + 1)) {
        times.push(time);
      }
    }
    oracle.spans.stored({ id, jobId, job: name, kind: span.kind === 0 ? 'run' : 'backfill', times });
  }

  #changed(before: Row, after: Row | undefined): void {
    this.#options.oracle.spans.jobChanged(before.id as number, after === undefined);
  }
}
