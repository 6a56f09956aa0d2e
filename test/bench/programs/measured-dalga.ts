import { createDalga } from '../../../src/dalga.ts';
import { createLog } from '../../../src/log.ts';
import { prepareScheduler } from '../../../src/main-thread/scheduler-worker.ts';
import { serveOnly } from '../../helpers/serve-only.ts';
import { collectReadings } from './gauge.ts';

/**
 * Dalga as src/main.ts puts it together, but for a gauge in each thread: of the lateness of each message, which
 * /metrics tells in coarse buckets, and, where the environment asks for it, of the event loop's delay.
 */
const SCHEDULER = new URL('./measured-scheduler.js', import.meta.url);

collectReadings();

await serveOnly(async (config) =>
  createDalga(config, {
    log: createLog('main', config.debug),
    scheduler: prepareScheduler(config, { entry: SCHEDULER }),
  }),
);
