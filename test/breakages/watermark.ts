import type { SqlSession } from '../../src/database/session.ts';
import type { Statement } from '../../src/database/statements.ts';
import type { SchedulerPort } from '../../src/main-thread/scheduler-client.ts';
import type { SchedulerReport } from '../../src/protocol/main-scheduler.ts';
import { type Breakage, rewriteProgress, wrapSessions } from './breakage.ts';

/** The state row's watermark is written as `change` makes it. */
function watermarkWritten(change: (watermark: number) => number): Breakage['connect'] {
  return wrapSessions((session: SqlSession) => ({
    run: (statement, deadline) => session.run(rewritten(statement, change), deadline),
  }));
}

function rewritten(statement: Statement, change: (watermark: number) => number): Statement {
  const { sql, values } = statement;
  const before = /^UPDATE `[^`]*_state` SET (.*?)watermark = \?/.exec(sql)?.[1];
  if (before === undefined) return statement;
  const place = before.split('?').length - 1;
  return { sql, values: values.map((value, index) => (index === place ? change(value as number) : value)) };
}

/** The watermark is one ms ahead of what is settled. */
export function watermarkOneMsAhead(): Breakage {
  return { connect: watermarkWritten((watermark) => watermark + 1) };
}

/** The watermark counts what was just handed over as settled: it is as far ahead as a batch takes. */
export function watermarkOneBatchAhead(): Breakage {
  return { connect: watermarkWritten((watermark) => watermark + 100) };
}

/** The watermark follows the frontier, whatever changes the scheduler has not taken in yet. */
export function watermarkNotCapped(): Breakage {
  let frontier = 0;
  return {
    mainPort: rewriteProgress((progress) => {
      if (progress.frontier !== null) frontier = Math.floor(progress.frontier);
      return progress;
    }),
    connect: watermarkWritten((watermark) => Math.max(watermark, frontier)),
  };
}

/** A report counts as made when it is heard of: whatever was posted by then is taken for taken in. */
export function reportTakenAsLater(): Breakage {
  return {
    mainPort: (port: SchedulerPort): SchedulerPort => {
      let posted = 0;
      let listener: (report: SchedulerReport) => void = () => {};
      return {
        send: (command, transfer) => {
          if (command.type === 'jobs.changed') posted = command.number;
          port.send(command, transfer);
        },
        listen: (next) => {
          listener = next;
          port.listen((report) => {
            if (report.type !== 'progress') return listener(report);
            listener({ type: 'progress', progress: { ...report.progress, acknowledged: posted } });
          });
        },
        close: () => port.close(),
      };
    },
  };
}

/** The frontier is the present while the table still loads. @param now the scheduler's clock, Unix ms */
export function frontierMovesDuringLoad(now: () => number): Breakage {
  return {
    mainPort: rewriteProgress((progress) =>
      progress.frontier === null ? { ...progress, frontier: now() } : progress,
    ),
  };
}

/** The exceptions count for nothing when a new owner begins. */
export function exceptionsIgnored(): Breakage {
  return { init: (init) => ({ ...init, exceptions: new Uint8Array(0) }) };
}

/** The exceptions are not listed while no publisher reaches the broker. */
export function exceptionsForgotten(): Breakage {
  return {
    mainPort: rewriteProgress((progress) =>
      progress.counters.connections === 0 ? { ...progress, exceptions: Uint8Array.of(0) } : progress,
    ),
  };
}
