import type { SqlSession } from '../../../src/database/session.ts';
import type { SchedulerReport } from '../../../src/protocol/main-scheduler.ts';
import { Outcome } from '../../../src/protocol/scheduler-publisher.ts';
import type { Breakage } from '../../breakages/breakage.ts';

/** How long a race is held open, so that each run meets it, ms. */
const HELD = 4000;

/** Deliberate breakages of the real process, by name. */
export const BREAKAGES = {
  /** The watermark is a second ahead. */
  watermarkAhead: (): Breakage => ({
    threadPort: (port) => ({
      ...port,
      send: (report) =>
        port.send(
          withProgress(report, ({ frontier }) => ({ frontier: frontier === null ? null : frontier + 1000 })),
        ),
    }),
  }),

  /** The frontier moves while the table loads. */
  frontierMovesDuringLoad: (): Breakage => ({
    threadPort: (port) => ({
      ...port,
      send: (report) =>
        port.send(withProgress(report, ({ frontier }) => ({ frontier: frontier ?? Date.now() }))),
    }),
    openTable: (open) => async (afterId) => {
      const stream = await open(afterId);
      return {
        ...stream,
        close: () => stream.close(),
        async read(onRow) {
          await new Promise((resolve) => setTimeout(resolve, HELD));
          await stream.read(onRow);
        },
      };
    },
  }),

  /** What was unsettled before the watermark is not looked at after a crash. */
  exceptionsIgnored: (): Breakage => ({ init: (init) => ({ ...init, exceptions: new Uint8Array(0) }) }),

  /** What was unsettled is left out of the checkpoints. */
  exceptionsForgotten: (): Breakage => ({
    threadPort: (port) => ({
      ...port,
      send: (report) => port.send(withProgress(report, () => ({ exceptions: Uint8Array.of(0) }))),
    }),
  }),

  /** Main takes every change as taken in by the scheduler, which gets it later. */
  stampsNotCapped: (): Breakage => ({
    mainPort: (port) => {
      let posted = 0;
      return {
        ...port,
        send(command, transfer) {
          if (command.type === 'jobs.changed') posted = command.number;
          setTimeout(() => port.send(command, transfer), command.type === 'jobs.changed' ? HELD : 0);
        },
        listen: (listener) =>
          port.listen((report) => listener(withProgress(report, () => ({ acknowledged: posted })))),
      };
    },
  }),

  /** DELETE is answered before the scheduler has taken it in. */
  deleteBeforeAcknowledgement: (): Breakage => ({
    mainPort: (port) => {
      let hear: ((report: SchedulerReport) => void) | null = null;
      return {
        ...port,
        send(command, transfer) {
          if (command.type !== 'jobs.changed' || !command.reply) return port.send(command, transfer);
          const { number } = command;
          setImmediate(() => hear?.({ type: 'changes.acknowledged', number }));
          setTimeout(() => port.send(command, transfer), HELD);
        },
        listen(listener) {
          hear = listener;
          port.listen(listener);
        },
      };
    },
  }),

  /** Requests are answered when COMMIT is sent, and not when it is answered. */
  answerBeforeCommit: (): Breakage => ({
    connect: (connect) => async () => {
      const session = await connect();
      let committing: Promise<unknown> = Promise.resolve();
      let wroteJobs = false;
      return wrapSession(session, async (statement, deadline) => {
        await committing;
        wroteJobs ||= statement.sql.startsWith('INSERT');
        if (statement.sql !== 'COMMIT' || !wroteJobs) return session.run(statement, deadline);
        wroteJobs = false;
        committing = new Promise((resolve) => setTimeout(resolve, HELD))
          .then(() => session.run(statement))
          .catch(() => {});
        return { rows: [], affectedRows: 0 };
      });
    },
  }),

  /** What was handed to a publisher counts as confirmed. */
  settleBeforeConfirm: (): Breakage => ({
    publishers: (publishers) => ({
      close: () => publishers.close(),
      async publish(batch) {
        const { count } = batch;
        setTimeout(() => void publishers.publish(batch), HELD / 2);
        return {
          threadId: -1,
          outcomes: new Uint8Array(count).fill(Outcome.confirmed),
          writtenAt: new Float64Array(count),
        };
      },
    }),
  }),

  /** An owner goes on whoever owns the table by now. */
  noFence: (): Breakage => {
    let own: readonly unknown[] | null = null;
    return {
      connect: (connect) => async () => {
        const session = await connect();
        return wrapSession(session, async (statement, deadline) => {
          const { sql, values } = statement;
          if (sql.includes('owner = ?, owner_host = ?')) own = [values[0], values[1]];
          const unfenced = { sql: sql.replace(' AND epoch = ?', ''), values };
          const result = await session.run(
            unfenced.sql === sql ? statement : { ...unfenced, values: values.slice(0, -1) },
            deadline,
          );
          if (!sql.startsWith('SELECT epoch, owner, batch') || own === null) return result;
          return { ...result, rows: result.rows.map((row) => [...own!, ...row.slice(2)]) };
        });
      },
    };
  },
} as const satisfies Record<string, () => Breakage>;

export type BreakageName = keyof typeof BREAKAGES;

type ProgressReport = Extract<SchedulerReport, { type: 'progress' }>;

function withProgress(
  report: SchedulerReport,
  change: (progress: ProgressReport['progress']) => Partial<ProgressReport['progress']>,
): SchedulerReport {
  if (report.type !== 'progress') return report;
  return { ...report, progress: { ...report.progress, ...change(report.progress) } };
}

function wrapSession(session: SqlSession, run: SqlSession['run']): SqlSession {
  return {
    get connectionId() {
      return session.connectionId;
    },
    get usable() {
      return session.usable;
    },
    run,
    destroy: () => session.destroy(),
    close: () => session.close(),
  };
}
