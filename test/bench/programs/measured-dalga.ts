import { systemTimers } from '../../../src/clock.ts';
import { runCommandLine } from '../../../src/command-line.ts';
import { createDalga } from '../../../src/dalga.ts';
import { createLog } from '../../../src/log.ts';
import { startSchedulerThread } from '../../../src/main-thread/scheduler-client.ts';
import { version } from '../../../src/version.ts';
import { collectReadings } from './gauge.ts';

/**
 * Dalga as src/main.ts puts it together, but for a gauge in each thread: of the lateness of each message, which
 * /metrics tells in coarse buckets, and, where the environment asks for it, of the event loop's delay.
 */
const SCHEDULER = new URL('./measured-scheduler.js', import.meta.url);

collectReadings();

const notHere = () => Promise.reject(new Error('it only serves'));

const exitCode = await runCommandLine({
  env: process.env,
  args: process.argv.slice(2),
  version,
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  onSignal: (listener) => process.on('SIGTERM', listener),
  timers: systemTimers,
  createService: async (config) =>
    createDalga(config, {
      log: createLog('main', config.debug),
      startScheduler: (init, events, timers) => startSchedulerThread(init, events, timers, SCHEDULER),
    }),
  createTables: notHere,
  importTable: notHere,
  resetWatermark: notHere,
  renewTag: notHere,
});
process.exit(exitCode);
