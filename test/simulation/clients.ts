import { decodeJobRow, JOB_ROW_COLUMNS } from '../../src/database/job-row.ts';
import { DalgaError } from '../../src/errors.ts';
import type { JobRequest } from '../../src/job/change-row.ts';
import type { JobKey, JobRow } from '../../src/job/job.ts';
import { nameJob } from '../../src/job/named-job.ts';
import { isPlain } from '../../src/job/next-run.ts';
import { timetableOf } from '../../src/job/timetable.ts';
import type { Answer, Change, Oracle, Plan } from '../oracle/oracle.ts';
import type { Choices } from './choices.ts';
import { drawInterval, drawRules } from './choose-schedule.ts';
import type { Instance } from './instance.ts';
import type { MysqlServer } from './mysql-server.ts';
import type { Row } from './tables.ts';
import type { World } from './world.ts';

/** A job that clients change, one change at a time. */
type ClientJob = {
  readonly key: JobKey;
  readonly name: string;
  readonly keyHex: string;
  busy: boolean;
  /** A change of which it is not known whether it was written. */
  unresolved: { readonly change: Change; readonly commitsBefore: number } | null;
  /** What is known to be stored; null also while it is paused. */
  stored: Plan | null;
  paused: boolean;
};

export type ClientsOptions = {
  readonly world: World;
  readonly oracle: Oracle;
  readonly server: MysqlServer;
  readonly instances: readonly Instance[];
  readonly choices: Pick<
    Choices,
    'jobs' | 'routes' | 'changePause' | 'atOnce' | 'rules' | 'step' | 'calendar'
  >;
  /** Unix ms: from here on what a change ended, whose outcome was not known, must not be sent any more. */
  readonly settledAt: number;
};

/** Clients of the API: they create, change and delete jobs, and tell the oracle what they asked and were answered. */
export class Clients {
  readonly jobs: readonly ClientJob[];
  readonly #options: ClientsOptions;
  #stopped = false;

  constructor(options: ClientsOptions) {
    this.#options = options;
    const { jobs, routes } = options.choices;
    this.jobs = Array.from({ length: jobs }, (_, index) => {
      const key = { routingKey: `route${index % routes}`, job: `job${index}` };
      const name = `${key.routingKey}/${key.job}`;
      return {
        ...{ key, name, keyHex: Buffer.from(nameJob(key).hash).toString('hex') },
        ...{ busy: false, unresolved: null, stored: null, paused: false },
      };
    });
  }

  start(): void {
    const { world, choices } = this.#options;
    const next = () => {
      if (this.#stopped) return;
      this.#act(world.pick(this.jobs));
      world.after(world.random() * 2 * choices.changePause, next, true);
    };
    // Most jobs are there from the beginning.
    for (const job of this.jobs) {
      if (world.chance(0.8)) world.after(world.between(300, 1500), () => this.#act(job), true);
    }
    world.after(500, next, true);
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Finds out what became of changes with an unknown outcome. @returns whether all are known */
  resolveAll(): boolean {
    return this.jobs.filter((job) => !job.busy && this.#resolve(job)).length === this.jobs.length;
  }

  /** Asks one instance for one change. */
  request(job: ClientJob, op: 'put' | 'post' | 'delete', request: JobRequest): void {
    const { world, oracle, server, instances } = this.#options;
    const owner = instances.find(({ process }) => process?.tenure.ownerOrNull());
    const instance = owner ?? world.pick(instances);
    const { process } = instance;
    if (process === null) return;
    const change = oracle.asked(job.name, world.unix(), null);
    const commitsBefore = server.commits.length;
    job.busy = true;
    world.event(`client.${op}`, `${job.name} ${JSON.stringify(request)}`);
    const done = (answer: Answer) => {
      if (!job.busy || change.answeredAt !== Number.POSITIVE_INFINITY) return;
      job.busy = false;
      oracle.answered(change, world.unix(), answer);
      world.event(`client.answer ${answer.result}`, `${job.name} ${JSON.stringify(answer)}`);
      if (answer.result === 'unknown') job.unresolved = { change, commitsBefore };
      if (answer.result === 'stored') job.stored = answer.plan;
      if (answer.result === 'deleted') job.stored = null;
      if (answer.result === 'deleted' && op === 'delete') job.paused = false;
    };
    process.scope.onEnd(() => done({ result: 'unknown', plan: null }));
    process.scope.after(world.between(0.1, 1), () => {
      const { jobs, breakage } = process;
      const shown = (row: JobRow) => breakage.answered?.(row) ?? row;
      const work =
        op === 'put'
          ? jobs
              .put(job.key, request, { onlyCreate: false })
              .then(({ created, view }) => done(this.#stored(job, shown(view.row), created)))
          : op === 'post'
            ? jobs
                .post(job.key, request)
                .then((view) =>
                  done(view === null ? { result: 'refused' } : this.#stored(job, shown(view.row), false)),
                )
            : jobs.delete(job.key).then((deleted) => done(this.#deleted(job, deleted, commitsBefore)));
      work.catch((error: unknown) => {
        if (!(error instanceof DalgaError)) throw error;
        world.count(`client.refused ${error.code}`);
        const unknown = error.code === 'outcome_unknown' || error.code === 'internal';
        done(unknown ? { result: 'unknown', plan: null } : { result: 'refused' });
      });
    });
  }

  #act(job: ClientJob): void {
    const { world } = this.#options;
    if (job.busy || !this.#resolve(job)) return;
    const dice = world.random();
    // Which missed ones run may change without the job being planned anew: that is not judged.
    const misfire = job.stored?.rules?.misfire;
    const same = misfire && { misfire };
    if (job.paused) this.request(job, dice < 0.2 ? 'delete' : 'post', dice < 0.2 ? {} : { enabled: true });
    else if (job.stored !== null && dice > 1 - this.#options.choices.rules / 5) {
      this.request(job, 'post', { enabled: false });
    } else if (job.stored === null || dice < 0.35)
      this.request(job, 'put', { ...same, ...this.#schedule(job) });
    else if (dice < 0.75) this.request(job, 'post', this.#replan(job));
    else this.request(job, 'delete', {});
  }

  #schedule(job: ClientJob): JobRequest {
    const { world, choices } = this.#options;
    if (world.chance(choices.rules)) return drawRules(world, choices);
    const interval = drawInterval(world, choices);
    // The same as is stored, as a service does at each deploy.
    if (job.stored !== null && job.stored.intervalMs > 0 && world.chance(0.3)) {
      return { interval: { ms: job.stored.intervalMs, text: null } };
    }
    const soon = () => Math.floor(world.unix() + world.between(-3000, 8000));
    if (world.chance(this.#options.choices.atOnce)) {
      return world.chance(0.5) ? { interval, immediate: true } : { oneOff: true, immediate: true };
    }
    const dice = world.random();
    if (dice < 0.4) return { interval };
    if (dice < 0.5) return { interval, immediate: true };
    if (dice < 0.65) return { interval, firstRun: soon() };
    if (dice < 0.8) return { oneOff: true, immediate: true };
    if (dice < 0.9) return { oneOff: true, firstRun: soon() };
    return { oneOff: true, interval };
  }

  #replan(job: ClientJob): JobRequest {
    const { world, choices } = this.#options;
    const dice = world.random();
    if (dice < 0.4) return { interval: drawInterval(world, choices) };
    if (dice < 0.7) return { immediate: true };
    if (dice < 0.75) return { shift: world.whole(-2, 2) * 1000 };
    if (dice < 0.8) return { notBefore: Math.floor(world.unix() + world.between(-1000, 6000)) };
    if (dice < 0.9 || job.stored === null)
      return { firstRun: Math.floor(world.unix() + world.between(-500, 3000)) };
    return {};
  }

  #stored(job: ClientJob, row: JobRow, created: boolean): Answer {
    const plan = planOf(row);
    job.paused = !row.enabled;
    // As the oracle sees it a paused job has ended, and one that goes on is planned anew.
    if (!row.enabled) return { result: 'deleted', since: row.since };
    if (!created && job.stored?.since === plan.since) return { result: 'kept' };
    this.#options.world.count(`stored.${row.schedule.kind}`);
    return { result: 'stored', plan, created };
  }

  #deleted(job: ClientJob, deleted: boolean, commitsBefore: number): Answer {
    if (!deleted) return { result: 'refused' };
    const { server, world } = this.#options;
    const commit = server.commits.slice(commitsBefore).findLast(({ keyHex }) => keyHex === job.keyHex);
    return { result: 'deleted', since: commit?.stamp ?? Math.floor(world.unix()) };
  }

  #resolve(job: ClientJob): boolean {
    if (job.unresolved === null) return true;
    const { server, oracle, settledAt, world } = this.#options;
    const { change, commitsBefore } = job.unresolved;
    if (server.hasPending(job.keyHex)) return false;
    const commits = server.commits.slice(commitsBefore);
    const commit = commits.findLast(({ keyHex, settled }) => keyHex === job.keyHex && !settled);
    job.unresolved = null;
    if (commit === undefined) {
      oracle.resolved(change, { result: 'refused' });
    } else if (commit.row === null) {
      oracle.resolved(change, { result: 'deleted', since: commit.stamp }, settledAt);
      job.stored = null;
      job.paused = false;
    } else {
      const { enabled, since } = rowOf(commit.row);
      job.paused = !enabled;
      const plan = planOfRow(commit.row);
      if (enabled) oracle.resolved(change, { result: 'stored', plan, created: true }, settledAt);
      else oracle.resolved(change, { result: 'deleted', since }, settledAt);
      job.stored = enabled ? plan : null;
    }
    world.event(`client.resolved ${commit === undefined ? 'not written' : 'written'}`, job.name);
    return true;
  }
}

export function planOfRow(row: Row): Plan {
  return planOf(rowOf(row));
}

export function rowOf(row: Row): JobRow {
  return decodeJobRow(JOB_ROW_COLUMNS.map((column) => row[column]));
}

function planOf({ id, schedule, since }: JobRow): Plan {
  const plan = { intervalMs: schedule.kind === 'interval' ? schedule.intervalMs : 0, since };
  const misfire = schedule.rules?.misfire ?? 'once';
  if (isPlain(schedule) && misfire === 'once') return { ...plan, firstRun: schedule.firstRun };
  const times = timetableOf(schedule, id);
  return { ...plan, firstRun: times.firstAtOrAfter(since), rules: { times, misfire } };
}
