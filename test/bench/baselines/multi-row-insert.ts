import type { MysqlConfig } from '../../../src/config.ts';
import { Child } from '../child.ts';

/** The rows of the jobs 1 to `jobs`, as a bulk load of them makes them. */
export type InsertRows = {
  readonly mysql: MysqlConfig;
  readonly routingKey: string;
  readonly jobs: number;
  /** s */
  readonly interval: number;
};

/** How they are inserted. */
export type InsertWay = { readonly sessions: number; readonly rowsPerStatement: number };

export type InsertRequest =
  | { readonly type: 'prepare'; readonly rows: InsertRows }
  /** The first `jobs` of them, into the table, which is empty. Answers with the time it took, ms. */
  | { readonly type: 'insert'; readonly way: InsertWay; readonly jobs: number }
  | { readonly type: 'truncate' };

/** What is tried: from what one would write at first, to statements of most of a packet of 16 MiB. */
const WAYS: readonly InsertWay[] = [1, 2, 3].flatMap((sessions) =>
  [1000, 5000, 20_000, 60_000].map((rowsPerStatement) => ({ sessions, rowsPerStatement })),
);

/** Rows that each way is tried on. */
const TRIAL = 120_000;

/** Inserts by mysql2 from a process of its own, in the quickest of some ways. */
export class MultiRowInsert {
  readonly #child = new Child<InsertRequest, number>(
    new URL('./multi-row-insert-process.js', import.meta.url),
  );
  #jobs = 0;

  /** Opens the sessions and has all rows in memory; nothing is inserted yet. */
  async prepare(rows: InsertRows): Promise<void> {
    this.#jobs = rows.jobs;
    await this.#child.ask({ type: 'prepare', rows });
  }

  /** Inserts all rows. @returns ms */
  async insert(way: InsertWay): Promise<number> {
    return this.#child.ask({ type: 'insert', way, jobs: this.#jobs });
  }

  /** Tries each way on a part of the rows, and leaves an empty table. @returns the quickest */
  async quickest(say: (line: string) => void): Promise<InsertWay> {
    const jobs = Math.min(this.#jobs, TRIAL);
    const time = async (way: InsertWay): Promise<number> => {
      const ms = await this.#child.ask({ type: 'insert', way, jobs });
      await this.#child.ask({ type: 'truncate' });
      return ms;
    };
    // The code's first run is none to judge by.
    await time(WAYS[0]!);
    let best: { way: InsertWay; ms: number } | null = null;
    // No statement can have more rows than there are.
    for (const way of WAYS.filter(({ rowsPerStatement }) => rowsPerStatement <= Math.max(jobs, 1000))) {
      const ms = await time(way);
      if (best === null || ms < best.ms) best = { way, ms };
    }
    const { way, ms } = best!;
    const rate = Math.round(jobs / (ms / 1000));
    say(
      `the quickest INSERTs: ${way.sessions} session(s), ${way.rowsPerStatement} rows each, ${rate} rows/s`,
    );
    return way;
  }

  close(): Promise<void> {
    return this.#child.close();
  }
}
