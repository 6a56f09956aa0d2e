import { BroadcastChannel } from 'node:worker_threads';
import { SlewedClock } from '../../../src/clock.ts';
import { createDalga } from '../../../src/dalga.ts';
import { openSession } from '../../../src/database/session.ts';
import { createLog } from '../../../src/log.ts';
import { prepareScheduler } from '../../../src/main-thread/scheduler-worker.ts';
import { serveOnly } from '../../helpers/serve-only.ts';
import { theBreakage, wall } from './the-breakage.ts';

/**
 * Dalga as src/main.ts puts it together, but for the breakage that the environment names; SIGUSR2 brings the fault
 * about that the environment names for one of its threads.
 */
const breakage = theBreakage();

/** ms, as for the sessions that Dalga opens itself. */
const DEADLINE = 2000;
const SCHEDULER = new URL('./scheduler-with-breakage.js', import.meta.url);

const faults = new BroadcastChannel('dalga-test-faults');
faults.unref();
process.on('SIGUSR2', () => faults.postMessage(process.env.TEST_FAULT));

await serveOnly(async (config) => {
  const open = () =>
    openSession(config.mysql, { lease: config.lease, deadline: DEADLINE, connectTimeout: DEADLINE });
  const scheduler = prepareScheduler(config, { entry: SCHEDULER, wrapPort: breakage.mainPort });
  return createDalga(config, {
    log: createLog('main', config.debug),
    clock: new SlewedClock(wall),
    connect: breakage.connect(open),
    scheduler: {
      ...scheduler,
      start: (init, events, timers) => scheduler.start(breakage.init(init), events, timers),
    },
  });
});
