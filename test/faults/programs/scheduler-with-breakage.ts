import { composeScheduler } from '../../../src/scheduler-thread/compose.ts';
import { onFault } from './on-fault.ts';
import { theBreakage } from './the-breakage.ts';

/** The scheduler thread, but for the breakage. */
const breakage = theBreakage();

onFault('scheduler');
composeScheduler({
  entry: new URL('./publisher-with-fault.js', import.meta.url),
  port: breakage.threadPort,
  publishers: breakage.publishers,
  openTable: breakage.openTable,
});
