import { systemTimers } from '../../src/clock.ts';
import { type CommandLine, runCommandLine } from '../../src/command-line.ts';
import { version } from '../../src/version.ts';

/** The program as src/main.ts puts it together, for a service that is composed otherwise, and that only serves. */
export async function serveOnly(createService: CommandLine['createService']): Promise<never> {
  const notHere = () => Promise.reject(new Error('it only serves'));
  const exitCode = await runCommandLine({
    env: process.env,
    args: process.argv.slice(2),
    version,
    stdout: (text) => process.stdout.write(text),
    stderr: (text) => process.stderr.write(text),
    onSignal: (listener) => process.on('SIGTERM', listener),
    timers: systemTimers,
    createService,
    createTables: notHere,
    importTable: notHere,
    resetWatermark: notHere,
    renewTag: notHere,
  });
  process.exit(exitCode);
}
