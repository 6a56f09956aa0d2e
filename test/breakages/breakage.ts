import type { Connect, SqlSession } from '../../src/database/session.ts';
import type { JobRow } from '../../src/job/job.ts';
import type { SchedulerPort } from '../../src/main-thread/scheduler-client.ts';
import type {
  Progress,
  SchedulerCommand,
  SchedulerInit,
  SchedulerReport,
} from '../../src/protocol/main-scheduler.ts';
import type { TypedPort } from '../../src/protocol/typed-port.ts';
import type { LoaderOptions } from '../../src/scheduler-thread/loader.ts';
import type { Publishers } from '../../src/scheduler-thread/service.ts';
import { inTurn } from '../helpers/in-turn.ts';

export type ThreadPort = TypedPort<SchedulerReport, SchedulerCommand>;

/**
 * A deliberate fault of Dalga: wrappers round what its parts are given. The oracle must find each. What a breakage
 * remembers is of one process, so it is made anew for each.
 */
export type Breakage = {
  /** Round the owner's sessions with MySQL. */
  readonly connect?: (connect: Connect) => Connect;
  /** Round main's end of the port to the scheduler. */
  readonly mainPort?: (port: SchedulerPort) => SchedulerPort;
  /** Round the scheduler's end of it. */
  readonly threadPort?: (port: ThreadPort) => ThreadPort;
  /** What the scheduler is started with. */
  readonly init?: (init: SchedulerInit) => SchedulerInit;
  /** Round the loader's stream. */
  readonly openTable?: (open: LoaderOptions['open']) => LoaderOptions['open'];
  /** Round the pool of publishers. */
  readonly publishers?: (publishers: Publishers) => Publishers;
  /** What a client is answered instead; only where the caller sees whole rows. */
  readonly answered?: (row: JobRow) => JobRow;
};

/** Puts something round each session: what it does not name is the session's own. */
export function wrapSessions(
  wrap: (session: SqlSession) => Partial<SqlSession>,
): NonNullable<Breakage['connect']> {
  return (connect) => async () => {
    const session = await connect();
    const own = wrap(session);
    const run: SqlSession['run'] = own.run ?? ((statement, deadline) => session.run(statement, deadline));
    return {
      get connectionId() {
        return session.connectionId;
      },
      get usable() {
        return session.usable;
      },
      run,
      runAll: inTurn(run),
      destroy: () => session.destroy(),
      close: () => session.close(),
    };
  };
}

/** Main hears reports of progress as `change` makes them. */
export function rewriteProgress(change: (progress: Progress) => Progress): NonNullable<Breakage['mainPort']> {
  return (port) => ({
    send: (command, transfer) => port.send(command, transfer),
    listen: (listener) =>
      port.listen((report) => {
        if (report.type === 'progress') listener({ type: 'progress', progress: change(report.progress) });
        else listener(report);
      }),
    close: () => port.close(),
  });
}
