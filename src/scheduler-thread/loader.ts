import type { Clock, Timers } from '../clock.ts';
import { StartupError } from '../errors.ts';
import type { JobRow } from '../job/job.ts';
import type { Log } from '../log.ts';

/** ms between two lines about the progress. */
const PROGRESS_INTERVAL = 2000;
const FIRST_BACKOFF = 100;
const LAST_BACKOFF = 5000;

export type LoaderOptions = {
  /** Opens a snapshot of the rows whose id is above `afterId`, by ascending id. `close` ends the connection. */
  readonly open: (afterId: number) => Promise<{
    readonly total: number;
    read(onRow: (row: JobRow) => void): Promise<void>;
    close(): void;
  }>;
  /** The table is open, and no row has been read yet; it has about so many jobs. */
  readonly onOpen?: (total: number) => void;
  readonly onRow: (row: JobRow) => void;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
};

/**
 * Streams the table in. Each chunk that arrives is a turn of the event loop of its own, so that what is due goes
 * on being dispatched. A load that breaks off goes on after its last id, on a new snapshot: what changed before
 * that id meanwhile came as a change.
 *
 * @returns the number of rows
 * @throws StartupError of `onRow` or of the stream, which only an operator can mend
 */
export async function loadTable(options: LoaderOptions): Promise<number> {
  const { open, clock, timers, log } = options;
  const position = { count: 0, lastId: 0 };
  let backoff = FIRST_BACKOFF;
  let broken = false;
  for (;;) {
    const before = position.count;
    try {
      const snapshot = await open(position.lastId);
      if (position.lastId === 0) options.onOpen?.(snapshot.total);
      const progress = reportProgress(position, snapshot.total, clock, timers, log);
      try {
        await snapshot.read((row) => {
          if (broken) log.info({ loaded: position.count }, 'the load goes on');
          broken = false;
          options.onRow(row);
          position.count++;
          position.lastId = row.id;
        });
        return position.count;
      } finally {
        progress.stop();
        snapshot.close();
      }
    } catch (error) {
      // What no other try will make better.
      if (error instanceof StartupError) throw error;
      if (position.count > before) backoff = FIRST_BACKOFF;
      // Once, however many tries it takes.
      if (!broken) {
        const reason = error instanceof Error ? error.message : String(error);
        log.warn(
          { loaded: position.count },
          `the load broke off, and goes on after its last job when it can: ${reason}`,
        );
      }
      broken = true;
      await new Promise<void>((resolve) => timers.set(resolve, backoff));
      backoff = Math.min(backoff * 2, LAST_BACKOFF);
    }
  }
}

function reportProgress(
  position: { count: number },
  total: number,
  clock: Clock,
  timers: Timers,
  log: Log,
): { stop(): void } {
  const begun = clock.monotonic();
  const first = position.count;
  let timer: unknown;
  const tick = () => {
    const rate = ((position.count - first) / (clock.monotonic() - begun)) * 1000;
    const left = Math.max(total - position.count, 0) / Math.max(rate, 1);
    log.info(
      { loaded: position.count, total, rate: Math.round(rate) },
      `loading: ${position.count} of about ${total} jobs, ${Math.round(rate)} a second, about ${Math.ceil(left)} s left`,
    );
    timer = timers.set(tick, PROGRESS_INTERVAL);
  };
  timer = timers.set(tick, PROGRESS_INTERVAL);
  return { stop: () => timers.clear(timer) };
}
