import type { Connect } from '../../src/database/session.ts';
import type { SchedulerPort } from '../../src/main-thread/scheduler-client.ts';
import type { SchedulerCommand, SchedulerInit, SchedulerReport } from '../../src/protocol/main-scheduler.ts';
import type { TypedPort } from '../../src/protocol/typed-port.ts';
import type { LoaderOptions } from '../../src/scheduler-thread/loader.ts';
import type { Publishers } from '../../src/scheduler-thread/service.ts';

export type ThreadPort = TypedPort<SchedulerReport, SchedulerCommand>;

/**
 * A deliberate fault of Dalga: wrappers round what its parts are given, for one owner of the table (what they
 * remember is of that owner). The oracle must find each.
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
};
