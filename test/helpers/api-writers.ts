import { seededRandom } from './random.ts';

/** What a request asked of a job: times in Unix ms. Deletion has no schedule. */
export type Asked =
  | { readonly op: 'delete' }
  | {
      readonly op: 'put' | 'post';
      /** ms; null for a one-off. */
      readonly intervalMs: number | null;
      readonly firstRun: number;
    };

/**
 * created: 201. done: another 2xx. absent: 404, nothing was there. refused: nothing was written. unknown: the
 * connection ended, or the answer says so (`outcome_unknown`).
 */
export type Result = 'created' | 'done' | 'absent' | 'refused' | 'unknown';

export type Journal = {
  /** Before a request is sent. @returns what is called with its answer, at `answeredAt` (Unix ms) */
  sending(job: string, asked: Asked, sentAt: number): (result: Result, answeredAt: number) => void;
};

export type ApiWritersOptions = {
  /** Where requests go; asked for each, since the owner may change. */
  readonly url: () => string;
  readonly routingKey: string;
  readonly journal: Journal;
  readonly writers: number;
  /** Requests a second, of all writers together; what an answer took is made up for. */
  readonly rate: number;
  readonly seed: number;
};

/** Jobs that a writer keeps at the most. */
const JOBS_PER_WRITER = 150;

/** The pause after a request that failed, ms. */
const PAUSE = 100;

/** A request is given up after this, ms: its outcome is then unknown. */
const DEADLINE = 10_000;

/**
 * Clients that create, change, replace and delete jobs at once, each its own jobs one request after another, so
 * that what the API has answered says what each job's schedule is. Every schedule names its first_run to the ms.
 */
export class ApiWriters {
  readonly counts = { created: 0, done: 0, absent: 0, refused: 0, unknown: 0 };
  readonly #options: ApiWritersOptions;
  readonly #running: Promise<void>[];
  #stopping = false;

  constructor(options: ApiWritersOptions) {
    this.#options = options;
    this.#running = Array.from({ length: options.writers }, (_, index) => this.#write(index));
  }

  /** Resolves when each has the outcome of its last request. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#running);
  }

  async #write(index: number): Promise<void> {
    const random = seededRandom(this.#options.seed + index);
    const jobs: string[] = [];
    const gap = (1000 * this.#options.writers) / this.#options.rate;
    let created = 0;
    let next = Date.now() + random() * gap;
    while (!this.#stopping) {
      await pause(next - Date.now());
      next = Math.max(next + gap, Date.now() - 1000);
      const isNew = jobs.length === 0 || (random() < 0.4 && jobs.length < JOBS_PER_WRITER);
      if (isNew) jobs.push(`w${index}-${++created}`);
      const position = isNew ? jobs.length - 1 : Math.floor(random() * jobs.length);
      const asked = isNew ? schedule('put', random) : change(random);
      const result = await this.#ask(jobs[position]!, asked);
      this.counts[result]++;
      if (asked.op === 'delete' && (result === 'done' || result === 'absent')) jobs.splice(position, 1);
      if (result === 'refused' || result === 'unknown') await pause(PAUSE);
    }
  }

  async #ask(job: string, asked: Asked): Promise<Result> {
    const { url, routingKey, journal } = this.#options;
    const answered = journal.sending(job, asked, Date.now());
    const result = await send(`${url()}/jobs/${routingKey}/${job}`, asked);
    answered(result, Date.now());
    return result;
  }
}

/** Sends one request. @param url the job's */
export async function send(url: string, asked: Asked): Promise<Result> {
  let status: number;
  let body: string;
  try {
    const answer = await fetch(`${url}${query(asked)}`, {
      method: asked.op.toUpperCase(),
      signal: AbortSignal.timeout(DEADLINE),
    });
    status = answer.status;
    body = await answer.text();
  } catch (error) {
    return wasSent(error) ? 'unknown' : 'refused';
  }
  if (status === 201) return 'created';
  if (status < 300) return 'done';
  if (status === 404) return 'absent';
  if (status === 503) return JSON.parse(body).code === 'outcome_unknown' ? 'unknown' : 'refused';
  throw new Error(`${asked.op} was answered with ${status}: ${body}`);
}

function wasSent(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: string } };
  return cause?.code !== 'ECONNREFUSED';
}

function change(random: () => number): Asked {
  const dice = random();
  if (dice < 0.35) return { op: 'delete' };
  return schedule(dice < 0.7 ? 'post' : 'put', random);
}

function schedule(op: 'put' | 'post', random: () => number): Asked {
  // Soon, as what becomes of a job that is about to run is what can go wrong.
  const firstRun = Math.floor(Date.now() + 50 + random() * (random() < 0.5 ? 500 : 5000));
  if (random() < 0.25) return { op, intervalMs: null, firstRun };
  return { op, intervalMs: 1000 * (1 + Math.floor(random() * random() * 60)), firstRun };
}

function query(asked: Asked): string {
  if (asked.op === 'delete') return '';
  const firstRun = encodeURIComponent(new Date(asked.firstRun).toISOString());
  if (asked.intervalMs === null) return `?one_off=true&first_run=${firstRun}`;
  // A POST that names neither leaves a one-off one.
  const oneOff = asked.op === 'post' ? '&one_off=false' : '';
  return `?interval=${asked.intervalMs / 1000}&first_run=${firstRun}${oneOff}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(ms, 0)));
}
