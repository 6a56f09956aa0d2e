import { startComposedScheduler } from '../../helpers/composed-scheduler.ts';
import { onFault } from './on-fault.ts';
import { theBreakage } from './the-breakage.ts';

/** The scheduler thread, but for the breakage. */
const breakage = theBreakage();

onFault('scheduler');
startComposedScheduler({
  entry: new URL('./publisher-with-fault.js', import.meta.url),
  port: breakage.threadPort,
  publishers: breakage.publishers,
  openTable: breakage.openTable,
});
