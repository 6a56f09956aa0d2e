import { type Clock, SlewedClock, systemTimers, type Timers } from '../../clock.ts';
import type { Config } from '../../config.ts';
import { newTag } from '../../database/migrations.ts';
import { readOriginal } from '../../database/original-stream.ts';
import {
  ORIGINAL_COLUMNS,
  type OriginalTable,
  originalStatements,
  parseOriginalTable,
} from '../../database/original-table.ts';
import { COUNT_DEADLINE, openSession, type SqlSession } from '../../database/session.ts';
import { explainConnectionError } from '../../database/sql-errors.ts';
import { stateStatements } from '../../database/state-statements.ts';
import { jobStatements } from '../../database/statements.ts';
import { DalgaError, StartupError } from '../../errors.ts';
import { keyText } from '../store/batch-plan.ts';
import { Fenced } from '../store/owner-session.ts';
import type { Owned } from '../store/ownership.ts';
import { createTables } from '../store/schema-check.ts';
import { ownAlone } from '../store/sole-ownership.ts';
import { ImportReport } from './import-report.ts';
import { checkOriginalRow, describeRow } from './original-job.ts';
import { type Candidate, candidateOf, type ImportPlan, planImport } from './plan-import.ts';

/** A batch is one transaction: few enough rows that it takes well under 200 ms, and one packet of the server's. */
const BATCH_ROWS = 1_000;
const BATCH_BYTES = 1_000_000;

export type ImportOptions = {
  readonly config: Pick<Config, 'mysql' | 'lease' | 'withoutLease'>;
  /** The original's table, as `table` or `database.table`. */
  readonly original: string;
  /** Ends it after the batch that runs; the reason is thrown. */
  readonly signal: AbortSignal;
  /** A line for the person who waits. */
  readonly tell: (line: string) => void;
  readonly clock?: Clock;
  readonly timers?: Timers;
};

/**
 * Copies the jobs of the original implementation's table, which it only reads, into Dalga's. It may be broken off
 * at any moment and run again: each batch is one transaction of the owner, and a job that is there is left alone.
 *
 * @returns the lines of the report, and whether no job was refused
 * @throws StartupError when the table, the server or another instance is in the way; the signal's reason
 */
export async function importTable(options: ImportOptions): Promise<{ lines: string[]; complete: boolean }> {
  const { config } = options;
  let session: SqlSession | null = null;
  try {
    const original = readName(options.original, config.mysql);
    session = await openSession(config.mysql);
    // Before anything is created.
    await checkColumns(session, original, options.original);
    await createTables(config.mysql);
    return await new Import(options, original, session).run();
  } catch (error) {
    if (error instanceof StartupError || options.signal.aborted) throw error;
    if (error instanceof DalgaError || error instanceof Fenced) {
      throw new StartupError(`${error.message}; what was taken stays: run the import again`, {
        cause: error,
      });
    }
    // A fault of this program's own is not the server's.
    if (error instanceof TypeError || error instanceof RangeError) throw error;
    throw explainConnectionError(error, config.mysql);
  } finally {
    await session?.close();
  }
}

class Import {
  readonly #options: ImportOptions;
  readonly #original: OriginalTable;
  readonly #session: SqlSession;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #report: ImportReport;
  /** message_ids must not be those that another deployment, with the same ids, makes or made. */
  readonly #tag = newTag();
  #tagged = false;

  constructor(options: ImportOptions, original: OriginalTable, session: SqlSession) {
    this.#options = options;
    this.#original = original;
    this.#session = session;
    this.#clock = options.clock ?? new SlewedClock();
    this.#timers = options.timers ?? systemTimers;
    this.#report = new ImportReport(this.#clock.monotonic());
  }

  async run(): Promise<{ lines: string[]; complete: boolean }> {
    const { config, signal, tell } = this.#options;
    const owned = await ownAlone({
      ...{ config, signal, tell, clock: this.#clock, timers: this.#timers, session: this.#session },
      address: `dalga -import-table ${this.#options.original}`,
    });
    try {
      await this.#copy(owned);
    } catch (error) {
      // The first fault is what there is to tell; a lease that cannot be released ends by itself.
      await owned.session.release(null).catch(() => {});
      throw error;
    }
    await owned.session.release(null);
    const lines = this.#report.lines(this.#options.original, config.mysql.table, owned.watermark);
    return { lines, complete: this.#report.refused === 0 };
  }

  async #copy(owned: Owned): Promise<void> {
    const { config, signal } = this.#options;
    const total = await this.#count();
    let batch: Candidate[] = [];
    let bytes = 0;
    const flush = async () => {
      signal.throwIfAborted();
      await this.#store(owned, batch);
      batch = [];
      bytes = 0;
      this.#tellProgress(total);
    };
    for await (const row of readOriginal(config.mysql, this.#original, this.#timers)) {
      const checked = checkOriginalRow(row);
      if ('refused' in checked) {
        this.#report.refuse(describeRow(row), checked.refused);
        continue;
      }
      const candidate = candidateOf(checked.job);
      batch.push(candidate);
      bytes += candidate.named.job.length + candidate.named.routingKey.length;
      if (batch.length >= BATCH_ROWS || bytes >= BATCH_BYTES) await flush();
    }
    await flush();
  }

  async #store(owned: Owned, batch: readonly Candidate[]): Promise<void> {
    if (batch.length === 0) return;
    const { table } = this.#options.config.mysql;
    const { watermark, epoch } = owned;
    const jobs = jobStatements(table);
    const plan = await owned.session.transaction<ImportPlan>(async ({ state, run }) => {
      const { rows } = await run(jobs.find(batch.map(({ named }) => named.hash)));
      const stored = new Set(rows.map((row) => keyText(row.at(-1) as Buffer)));
      const stamp = Math.max(Math.floor(this.#clock.now()), state.stamp + 1, watermark);
      const plan = planImport(batch, { stored, stamp, watermark, nextId: state.nextId });
      if (plan.upserts.length === 0) return { write: false, value: plan };
      // With the first rows, so that none of them is ever there under the old tag.
      if (!this.#tagged) await run(stateStatements(table).renewTag(epoch, this.#tag));
      await run(jobs.upsert(plan.upserts));
      return { write: true, stamp, nextId: plan.nextId, value: plan };
    });
    if (plan.upserts.length > 0) this.#tagged = true;
    this.#report.committed({ taken: plan.upserts.length, present: plan.present, behind: plan.behind });
  }

  async #count(): Promise<number> {
    const { rows } = await this.#session.run(originalStatements(this.#original).count(), COUNT_DEADLINE);
    return Number(rows[0]?.[0] ?? 0);
  }

  #tellProgress(total: number): void {
    const line = this.#report.progress(total, this.#clock.monotonic());
    if (line !== null) this.#options.tell(line);
  }
}

function readName(name: string, { database, table }: Config['mysql']): OriginalTable {
  let original: OriginalTable;
  try {
    original = parseOriginalTable(name);
  } catch (error) {
    throw new StartupError((error as RangeError).message);
  }
  if (original.table === table && (original.database ?? database) === database) {
    throw new StartupError(
      `table '${name}' cannot be imported into itself: set DALGA_MYSQL_TABLE to the name that Dalga's own shall have`,
    );
  }
  return original;
}

async function checkColumns(session: SqlSession, original: OriginalTable, name: string): Promise<void> {
  const { rows } = await session.run(originalStatements(original).columns());
  if (rows.length === 0) throw new StartupError(`there is no table '${name}', or this user may not read it`);
  const types = new Map(rows.map(([column, type]) => [textOf(column), textOf(type)]));
  const faults = Object.entries(ORIGINAL_COLUMNS).flatMap(([column, allowed]) => {
    const type = types.get(column);
    if (type === undefined) return [`it has no column ${column}`];
    return (allowed as readonly string[]).includes(type) ? [] : [`its column ${column} is of type ${type}`];
  });
  if (faults.length === 0) return;
  throw new StartupError(
    `table '${name}' is none of the original Dalga's with RabbitMQ: ${faults.join(', ')}; those have the columns ` +
      'job VARCHAR, routing_key VARCHAR, interval INT, next_run DATETIME',
  );
}

/** MySQL 8 tells a type as a blob, and a name in whatever case it was given. */
function textOf(value: unknown): string {
  return (Buffer.isBuffer(value) ? value.toString('utf8') : String(value)).toLowerCase();
}
