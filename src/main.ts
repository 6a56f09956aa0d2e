#!/usr/bin/env node
import { isCommand, runCommand } from './cli/run.ts';
import { systemTimers } from './clock.ts';
import { runCommandLine } from './command-line.ts';
import { redact } from './config.ts';
import { version } from './version.ts';

/** The program: the process's own things are taken here, and handed on. */
const args = process.argv.slice(2);
if (isCommand(args)) process.exit(await runCommand(args, process));
const exitCode = await runCommandLine({
  env: process.env,
  args,
  version,
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  onSignal: (listener) => {
    process.on('SIGTERM', listener);
    process.on('SIGINT', listener);
  },
  timers: systemTimers,
  createService: async (config) => {
    // Its thread loads its own program beside this one.
    const { prepareScheduler } = await import('./main-thread/scheduler-worker.ts');
    const scheduler = prepareScheduler(config);
    const [{ createDalga }, { createLog }] = await Promise.all([import('./dalga.ts'), import('./log.ts')]);
    const log = createLog('main', config.debug);
    log.debug({ version, config: redact(config) }, 'the configuration');
    return createDalga(config, { log, scheduler });
  },
  createTables: async (config) => {
    const { createTables } = await import('./main-thread/store/schema-check.ts');
    await createTables(config.mysql);
  },
  importTable: async (config, original, life) => {
    const { importTable } = await import('./main-thread/import/import-table.ts');
    return importTable({ config, original, ...life });
  },
  resetWatermark: async (config, time, life) => {
    const { resetWatermark } = await import('./main-thread/repair.ts');
    return resetWatermark(config, time, life);
  },
  renewTag: async (config, life) => {
    const { renewTag } = await import('./main-thread/repair.ts');
    return renewTag(config, life);
  },
});

// What still runs, a thread that does not stop for one, is not waited for: the exit code is decided.
process.exit(exitCode);
