import type { JobRow } from '../../../src/job/job.ts';
import type { SchedulerReport } from '../../../src/protocol/main-scheduler.ts';
import { type Breakage, wrapSessions } from '../../breakages/breakage.ts';

/** How long a race is held open, ms. */
const LONG = 3000;
/** Below a second, after which a DELETE no longer waits. */
const SHORT = 700;

/**
 * Races that are rare in a real process are held open: each hold is no fault, only slowness. What a breakage does
 * wrong then shows in each run, and a sound process must not mind.
 */
export const HOLDS = {
  /** The scheduler gets changes late. */
  changes: (): Breakage => holdChanges(LONG),
  changesShortly: (): Breakage => holdChanges(SHORT),

  /** Main gets no report of progress before SIGUSR2, and says when it has deleted settled jobs. */
  reports: (): Breakage => {
    let held: (() => void)[] | null = [];
    process.once('SIGUSR2', () => {
      for (const deliver of held!) deliver();
      held = null;
    });
    return {
      mainPort: (port) => ({
        ...port,
        listen: (listener) =>
          port.listen((report: SchedulerReport) => {
            if (report.type === 'progress' && held !== null) held.push(() => listener(report));
            else listener(report);
          }),
      }),
      connect: wrapSessions((session) => {
        let deletes = false;
        return {
          async run(statement, deadline) {
            const result = await session.run(statement, deadline);
            deletes ||= /^DELETE FROM `[^`]*` WHERE \(?id = /.test(statement.sql);
            if (statement.sql === 'COMMIT' && deletes) {
              deletes = false;
              console.log('the settled jobs are deleted');
            }
            return result;
          },
        };
      }),
    };
  },

  /** The rows of the table come long after its snapshot was made. */
  load: (): Breakage => ({
    openTable: (open) => async (afterId) => {
      const snapshot = await open(afterId);
      return {
        total: snapshot.total,
        close: () => snapshot.close(),
        async read(onRow) {
          const rows: JobRow[] = [];
          await snapshot.read((row) => {
            // The bytes are views of what is used again.
            rows.push({ ...row, routingKey: row.routingKey.slice(), job: row.job.slice() });
          });
          console.log('the snapshot was read');
          await new Promise((resolve) => setTimeout(resolve, LONG));
          for (const row of rows) onRow(row);
        },
      };
    },
  }),

  /** The COMMIT of a transaction that has written jobs takes long. */
  commit: (): Breakage => ({
    connect: wrapSessions((session) => {
      let wroteJobs = false;
      return {
        async run(statement, deadline) {
          if (statement.sql.startsWith('INSERT')) wroteJobs = true;
          if (statement.sql === 'COMMIT' && wroteJobs) {
            wroteJobs = false;
            await new Promise((resolve) => setTimeout(resolve, LONG / 2));
          }
          return session.run(statement, deadline);
        },
      };
    }),
  }),

  nothing: (): Breakage => ({}),
} as const satisfies Readonly<Record<string, () => Breakage>>;

export type HoldName = keyof typeof HOLDS;

function holdChanges(time: number): Breakage {
  return {
    threadPort: (port) => ({
      ...port,
      listen: (listener) =>
        port.listen((command) => {
          if (command.type === 'jobs.changed') setTimeout(listener, time, command);
          else listener(command);
        }),
    }),
  };
}

/** The hold lies next to the real thing, the breakage round both. */
export function compose(hold: Breakage, breakage: Breakage): Required<Omit<Breakage, 'answered'>> {
  return {
    connect: (connect) => {
      const held = hold.connect?.(connect) ?? connect;
      return breakage.connect?.(held) ?? held;
    },
    mainPort: (port) => {
      const held = hold.mainPort?.(port) ?? port;
      return breakage.mainPort?.(held) ?? held;
    },
    threadPort: (port) => {
      const held = hold.threadPort?.(port) ?? port;
      return breakage.threadPort?.(held) ?? held;
    },
    init: (init) => breakage.init?.(init) ?? init,
    openTable: (open) => {
      const held = hold.openTable?.(open) ?? open;
      return breakage.openTable?.(held) ?? held;
    },
    publishers: (publishers) => breakage.publishers?.(publishers) ?? publishers,
  };
}
